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

const userAgent = "aiinfra-go/" + contractVersion

// What calls are made with.
type connection struct {
	base        string
	http        *http.Client
	token       *atomic.Pointer[string]
	timeout     time.Duration
	idleTimeout time.Duration
	retry       Retry
}

// One call of an operation.
type request struct {
	method string
	// A template, and what stands in it.
	path      string
	arguments []any
	query     any
	body      any
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
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return transportError(ctx, err)
	}
	if !isSuccess(response) {
		return errorFromResponse(response, body)
	}
	if result == nil {
		return nil
	}
	return request.decode(body, result)
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
	built, err := http.NewRequestWithContext(ctx, request.method, connection.base+path+encodeQuery(request.query), body)
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
		wasRefused := answer.Status == http.StatusTooManyRequests || (answer.Status == http.StatusServiceUnavailable && answer.asksToWait)
		isTransient := errors.Is(err, ErrUnavailable) || errors.Is(err, ErrDeadlineExceeded)
		return wasRefused || (request.isIdempotent() && isTransient)
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

// A query of the members of a struct that are not zero, under the names of their tags.
func encodeQuery(parameters any) string {
	if parameters == nil {
		return ""
	}
	value, values := reflect.ValueOf(parameters), url.Values{}
	for index := range value.NumField() {
		key, member := value.Type().Field(index).Tag.Get("query"), value.Field(index)
		if member.IsZero() {
			continue
		}
		if member.Kind() != reflect.Slice {
			values.Add(key, queryText(member))
			continue
		}
		for item := range member.Len() {
			values.Add(key, queryText(member.Index(item)))
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

func queryText(value reflect.Value) string {
	if moment, ok := value.Interface().(time.Time); ok {
		return moment.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(value.Interface())
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
