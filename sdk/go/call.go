package aiinfra

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"time"
)

const (
	userAgent = "aiinfra-go/" + contractVersion
	// The largest answer that is read.
	largestAnswer = 256 << 20
)

// What calls are made with.
type connection struct {
	base        string
	http        *http.Client
	token       *atomic.Pointer[string]
	timeout     time.Duration
	idleTimeout time.Duration
	retry       Retry
	onResponse  func(Response)
}

// One call of an operation.
type request struct {
	method string
	// A template, and what stands in it.
	path      string
	arguments []any
	// A struct of what is said in the query and in headers, by its tags.
	params any
	body   any
	// Whether answers come in an envelope.
	envelope bool
	// Whether the body has a key that makes the server do it once only.
	keyed bool
	// Whether a stream goes on after the event that was seen last.
	resumable bool
	// The accepted types of a stream.
	accept      string
	lastEventID string
}

func (request *request) isIdempotent() bool {
	return (request.method != http.MethodPost && request.method != http.MethodPatch) || request.keyed
}

// Calls an operation that answers with a value.
func call[T any](ctx context.Context, connection *connection, request request) (result T, err error) {
	err = connection.do(ctx, request, &result)
	return result, err
}

// Calls an operation, and tries again where that is right.
func (connection *connection) do(ctx context.Context, request request, result any) error {
	for attempt := 1; ; attempt++ {
		err := connection.attempt(ctx, &request, result)
		if err == nil || !connection.waitAfter(ctx, err, attempt, &request) {
			return err
		}
	}
}

func (connection *connection) attempt(ctx context.Context, request *request, result any) error {
	limited, cancel := context.WithTimeout(ctx, connection.timeout)
	defer cancel()
	response, err := connection.send(limited, request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := connection.read(ctx, request, response)
	if err != nil || result == nil {
		return err
	}
	return request.decode(body, result)
}

// The body of an answer, or the error that it stands for.
func (connection *connection) read(ctx context.Context, request *request, response *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, largestAnswer+1))
	if err != nil {
		return nil, transportError(ctx, err)
	}
	if len(body) > largestAnswer {
		return nil, fmt.Errorf("%w: the answer has no end", ErrInvalidResponse)
	}
	connection.show(request, response, body)
	if !isSuccess(response) {
		return nil, errorFromResponse(response, body)
	}
	return body, nil
}

// Shows an answer to whoever wants to see them.
func (connection *connection) show(request *request, response *http.Response, body []byte) {
	if connection.onResponse != nil {
		path := response.Request.URL.EscapedPath()
		connection.onResponse(Response{request.method, path, response.StatusCode, response.Header, body})
	}
}

// Sends a request, once.
func (connection *connection) send(ctx context.Context, request *request) (*http.Response, error) {
	built, err := connection.build(ctx, request)
	if err != nil {
		return nil, err
	}
	response, err := connection.http.Do(built)
	if err != nil {
		return nil, transportError(ctx, err)
	}
	return response, nil
}

func (connection *connection) build(ctx context.Context, request *request) (*http.Request, error) {
	path, err := expand(request.path, request.arguments)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if request.body != nil {
		encoded, err := json.Marshal(request.body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	built, err := http.NewRequestWithContext(ctx, request.method, connection.base+path+encodeQuery(request.params), body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	if built.URL.Host == "" || !strings.HasPrefix(built.URL.Scheme, "http") {
		return nil, fmt.Errorf("%q is no address such as http://localhost:8080", connection.base)
	}
	built.Header.Set("Accept", "application/json")
	if request.accept != "" {
		built.Header.Set("Accept", request.accept)
	}
	built.Header.Set("User-Agent", userAgent)
	eachMember(request.params, "header", built.Header.Set)
	if body != nil {
		built.Header.Set("Content-Type", "application/json")
	}
	if token := *connection.token.Load(); token != "" {
		built.Header.Set("Authorization", "Bearer "+token)
	}
	if request.lastEventID != "" {
		built.Header.Set("Last-Event-Id", request.lastEventID)
	}
	return built, nil
}

func (request *request) decode(body []byte, result any) error {
	target := result
	var envelope struct{ Data json.RawMessage }
	if request.envelope {
		target = &envelope
	}
	err := json.Unmarshal(body, target)
	if err == nil && request.envelope {
		if envelope.Data == nil {
			err = errors.New("there is no envelope")
		} else {
			err = json.Unmarshal(envelope.Data, result)
		}
	}
	if err != nil {
		return fmt.Errorf("%w to %s %s: %w", ErrInvalidResponse, request.method, request.path, err)
	}
	return nil
}

// Waits before the next attempt after this one, counted from 1; false when there is none.
func (connection *connection) waitAfter(ctx context.Context, err error, attempt int, request *request) bool {
	wait, ok := connection.retry.delay(err, attempt, request)
	if !ok || ctx.Err() != nil {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (retry Retry) delay(err error, attempt int, request *request) (time.Duration, bool) {
	if attempt >= retry.Attempts || !mayPass(err, request) {
		return 0, false
	}
	longest := min(float64(retry.LongestDelay), float64(retry.FirstDelay)*math.Pow(2, float64(attempt-1)))
	wait := time.Duration(mathrand.Float64() * longest)
	var answer *Error
	if errors.As(err, &answer) && answer.asksToWait {
		return answer.RetryAfter + wait, answer.RetryAfter <= retry.LongestRetryAfter
	}
	return wait, true
}

// Whether it is right to try again: what may have been done already is not done twice.
func mayPass(err error, request *request) bool {
	var answer *Error
	if errors.As(err, &answer) {
		isTransient := errors.Is(err, ErrUnavailable) || errors.Is(err, ErrDeadlineExceeded)
		return answer.Status == http.StatusTooManyRequests || (request.isIdempotent() && isTransient)
	}
	if errors.Is(err, ErrConnection) {
		return request.isIdempotent() || isDial(err)
	}
	return errors.Is(err, ErrTimeout) && request.isIdempotent()
}

func isSuccess(response *http.Response) bool {
	return response.StatusCode/100 == 2
}

// A path with its parameters. None may be empty, or it would be another path.
func expand(template string, arguments []any) (string, error) {
	for _, argument := range arguments {
		before, rest, _ := strings.Cut(template, "{")
		name, after, _ := strings.Cut(rest, "}")
		text := queryText(reflect.ValueOf(argument))
		if text == "" || text == "." || text == ".." {
			return "", fmt.Errorf("%s cannot be %q", name, text)
		}
		template = before + url.PathEscape(text) + after
	}
	return template, nil
}

// A query of the members of a struct that have a tag for it.
func encodeQuery(params any) string {
	values := url.Values{}
	eachMember(params, "query", values.Add)
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// Hands on the members of a struct that have a tag and are not zero, under the name in it.
func eachMember(params any, tag string, take func(key, value string)) {
	if params == nil {
		return
	}
	value := reflect.ValueOf(params)
	for index := range value.NumField() {
		key, member := value.Type().Field(index).Tag.Get(tag), value.Field(index)
		switch {
		case key == "" || member.IsZero():
		case member.Kind() == reflect.Slice:
			for item := range member.Len() {
				take(key, queryText(member.Index(item)))
			}
		default:
			take(key, queryText(member))
		}
	}
}

func queryText(value reflect.Value) string {
	if moment, ok := value.Interface().(time.Time); ok {
		return moment.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(value.Interface())
}

// A struct as `%+v` shows it, without the members that are secret.
func withoutSecrets(shown any) string {
	value, text := reflect.ValueOf(shown), strings.Builder{}
	for index := range value.NumField() {
		field, member := value.Type().Field(index), value.Field(index)
		separator := " "
		if index == 0 {
			separator = "{"
		}
		if field.Tag.Get("secret") != "" && !member.IsZero() {
			fmt.Fprintf(&text, "%s%s:***", separator, field.Name)
		} else {
			fmt.Fprintf(&text, "%s%s:%+v", separator, field.Name, member.Interface())
		}
	}
	return text.String() + "}"
}

// The first of parameters that may be left out.
func first[P any](parameters []P) (found P) {
	if len(parameters) > 0 {
		found = parameters[0]
	}
	return found
}

// A key under which the server does a thing once only, if the caller gave none.
func orNewKey(key string) string {
	if key != "" {
		return key
	}
	return rand.Text()
}
