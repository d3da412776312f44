module github.com/utopia-gpu/utopia/sdk/go

go 1.24
