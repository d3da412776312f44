package aiinfra

import "iter"

const pageSize = 100

// A page that tells its place among the others.
type page[T any] interface {
	// The items, which page it is, and how many items are on all pages; 0 where the server does not tell.
	contents() (items []T, number, total int)
}

// The items of all pages. A server that tells neither the page nor how many there are gives everything at once.
func pages[T any, P page[T]](fetch func(number int) (P, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for wanted, seen := 1, 0; ; wanted++ {
			page, err := fetch(wanted)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			items, number, total := page.contents()
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			seen += len(items)
			if len(items) == 0 || seen >= total || number != wanted {
				return
			}
		}
	}
}
