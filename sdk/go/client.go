package aiinfra

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Client calls the control plane. It keeps connections: use one for everything.
type Client struct {
	Services
	connection *connection
}

// Retry says how often, and after how long, a call is tried again.
type Retry struct {
	// Attempts is how often a call is tried in all; 1 is no second time.
	Attempts int
	// FirstDelay is the longest wait before the second attempt; each further one is twice as long. Waits are random within that.
	FirstDelay time.Duration
	// LongestDelay is the longest wait without a word of the server.
	LongestDelay time.Duration
	// LongestRetryAfter is the longest wait that is obeyed when the server asks for it; with a longer one the error is returned at once.
	LongestRetryAfter time.Duration
}

// DefaultRetry is how calls are tried again when nothing else is said.
var DefaultRetry = Retry{
	Attempts:          5,
	FirstDelay:        200 * time.Millisecond,
	LongestDelay:      5 * time.Second,
	LongestRetryAfter: time.Minute,
}

// Response is what one attempt of a call was answered with, as it came.
type Response struct {
	Method string
	Path   string
	// Status is the HTTP status.
	Status int
	Header http.Header
	// Body is empty for a stream that has begun: its messages are still to come.
	Body []byte
}

// An Option changes how a client calls.
type Option func(*connection)

// WithHTTPClient makes calls with this client of HTTP, for other certificates or proxies. Its own timeout holds for streams, too. Unless
// it says what to do with redirects, none is followed.
func WithHTTPClient(client *http.Client) Option {
	return func(connection *connection) {
		own := *client
		if own.CheckRedirect == nil {
			own.CheckRedirect = stay
		}
		connection.http = &own
	}
}

// WithOnResponse shows the answer to each attempt, for logs and for headers such as X-RateLimit-Remaining.
func WithOnResponse(show func(Response)) Option {
	return func(connection *connection) { connection.onResponse = show }
}

// WithTimeout sets how long one attempt may take; a minute by default. Making a container may take minutes.
func WithTimeout(timeout time.Duration) Option {
	return func(connection *connection) { connection.timeout = timeout }
}

// WithIdleTimeout sets how long a stream may be silent; a minute by default. The server shows every 15 seconds that it is alive.
func WithIdleTimeout(timeout time.Duration) Option {
	return func(connection *connection) { connection.idleTimeout = timeout }
}

// WithRetry sets when calls are tried again.
func WithRetry(retry Retry) Option {
	return func(connection *connection) { connection.retry = retry }
}

// WithToken sets the token of a log-in, an API token or a host's agent token.
func WithToken(token string) Option {
	return func(connection *connection) {
		connection.token = new(atomic.Pointer[string])
		connection.token.Store(&token)
	}
}

// NewClient makes a client of the API at an address such as http://localhost:8080, with the token of a log-in or an API token. The token
// may be empty. Whether the address is one shows in the first call.
func NewClient(baseURL, token string, options ...Option) *Client {
	connection := &connection{
		base:        strings.TrimRight(baseURL, "/"),
		http:        newHTTPClient(),
		timeout:     time.Minute,
		idleTimeout: time.Minute,
		retry:       DefaultRetry,
	}
	WithToken(token)(connection)
	return connection.client(options)
}

// With is the same client with other options, over the same connections.
func (client *Client) With(options ...Option) *Client {
	connection := *client.connection
	return connection.client(options)
}

// Login logs in, and makes further calls with the token of that, which lasts 24 hours.
func (client *Client) Login(username, password string) error {
	return client.LoginContext(context.Background(), username, password)
}

// LoginContext is Login with a context.
func (client *Client) LoginContext(ctx context.Context, username, password string) error {
	answer, err := client.IAM.LoginContext(ctx, LoginRequest{Username: username, Password: password})
	if err != nil {
		return err
	}
	client.connection.token.Store(&answer.Token)
	return nil
}

// Request calls an operation that this version of the package does not know. The body is sent as JSON unless it is nil, and the answer
// is decoded into the result unless that is nil.
func (client *Client) Request(ctx context.Context, method, path string, body, result any) error {
	return client.connection.do(ctx, request{method: method, path: path, body: body}, result)
}

// Ptr is a pointer to a value, for members of requests of which zero and nothing are different things.
func Ptr[T any](value T) *T {
	return &value
}

func (connection *connection) client(options []Option) *Client {
	for _, option := range options {
		option(connection)
	}
	connection.retry.Attempts = cmp.Or(connection.retry.Attempts, 1)
	return &Client{Services: newServices(connection), connection: connection}
}

func newHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 32
	return &http.Client{Transport: transport, CheckRedirect: stay}
}

// An answer from elsewhere is no answer, and the token is not for others.
func stay(*http.Request, []*http.Request) error {
	return http.ErrUseLastResponse
}
