package aiinfra

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Kinds of errors, for errors.Is.
var (
	// ErrBadRequest is a request that cannot be read, or in which a field breaks its rule.
	ErrBadRequest = errors.New("bad request")
	// ErrUnauthenticated is a call without credentials, or with some that do not hold.
	ErrUnauthenticated = errors.New("unauthenticated")
	// ErrPermissionDenied is a call that the credentials do not allow.
	ErrPermissionDenied = errors.New("permission denied")
	// ErrNotFound is a thing that does not exist, or is somebody else's.
	ErrNotFound = errors.New("not found")
	// ErrConflict is something that the present state of things does not allow.
	ErrConflict = errors.New("conflict")
	// ErrGone is a thing that is not there any more, such as the events after a cursor that is too old.
	ErrGone = errors.New("gone")
	// ErrCursorExpired are events after a cursor that are not kept any more: list again what is watched, and watch from there without
	// a cursor. It is also ErrGone.
	ErrCursorExpired = errors.New("cursor expired")
	// ErrRateLimited is one of too many requests.
	ErrRateLimited = errors.New("rate limited")
	// ErrServer is a failure of the server, of whatever kind.
	ErrServer = errors.New("server error")
	// ErrUnimplemented is an operation that the server does not have: it is older than this package, or something else.
	ErrUnimplemented = errors.New("unimplemented")
	// ErrUnavailable is a server, or something that it needs, that is away. It may be worth another try.
	ErrUnavailable = errors.New("unavailable")
	// ErrDeadlineExceeded is an operation that the server did not finish in time.
	ErrDeadlineExceeded = errors.New("deadline exceeded")
	// ErrConnection is a server that cannot be reached, or a connection that broke.
	ErrConnection = errors.New("connection failed")
	// ErrTimeout is a server that did not answer in time.
	ErrTimeout = errors.New("no answer in time")
	// ErrInvalidResponse is an answer that is not what the contract says. Something else than the product may have answered.
	ErrInvalidResponse = errors.New("invalid response")
)

const (
	messageLength = 200
	// What a server says of a path at which it has no operation.
	noPath = "nothing at this path"
	// The reason of ErrCursorExpired.
	cursorExpired = "CursorExpired"
)

var kinds = map[int]error{
	http.StatusBadRequest:            ErrBadRequest,
	http.StatusRequestTimeout:        ErrBadRequest,
	http.StatusRequestEntityTooLarge: ErrBadRequest,
	http.StatusUnsupportedMediaType:  ErrBadRequest,
	http.StatusUnprocessableEntity:   ErrBadRequest,
	http.StatusUnauthorized:          ErrUnauthenticated,
	http.StatusForbidden:             ErrPermissionDenied,
	http.StatusNotFound:              ErrNotFound,
	http.StatusConflict:              ErrConflict,
	http.StatusGone:                  ErrGone,
	http.StatusTooManyRequests:       ErrRateLimited,
	http.StatusNotImplemented:        ErrUnimplemented,
	http.StatusBadGateway:            ErrUnavailable,
	http.StatusServiceUnavailable:    ErrUnavailable,
	http.StatusGatewayTimeout:        ErrDeadlineExceeded,
}

// Reasons of errors within a stream, whose status is that of its beginning.
var statusOfReason = map[string]int{
	"InvalidToken":      http.StatusUnauthorized,
	"TokenExpired":      http.StatusUnauthorized,
	"TokenRevoked":      http.StatusUnauthorized,
	"Unauthenticated":   http.StatusUnauthorized,
	"PermissionDenied":  http.StatusForbidden,
	"NotFound":          http.StatusNotFound,
	cursorExpired:       http.StatusGone,
	"ResourceExhausted": http.StatusTooManyRequests,
	"Unavailable":       http.StatusServiceUnavailable,
	"DeadlineExceeded":  http.StatusGatewayTimeout,
}

// Error is a refusal or a failure of the server.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is the reason as a stable word in CamelCase; empty where the operation's style has none.
	Code string
	// Message is a sentence for people.
	Message string
	// RequestID is what the server's log knows the request by.
	RequestID string
	// RetryAfter is how long the server asks to wait; 0 when it does not.
	RetryAfter time.Duration

	asksToWait    bool
	isUnsupported bool
}

// Error is the message, with what else is known.
func (err *Error) Error() string {
	details := strconv.Itoa(err.Status)
	if err.Code != "" {
		details += ", " + err.Code
	}
	if err.RequestID != "" {
		details += ", request " + err.RequestID
	}
	return err.Message + " (" + details + ")"
}

// Is tells whether the error is of a kind, such as [ErrNotFound].
func (err *Error) Is(kind error) bool {
	switch {
	case kind == ErrServer:
		return err.Status >= http.StatusInternalServerError
	case kind == ErrCursorExpired:
		return err.Code == cursorExpired
	case err.isUnsupported:
		return kind == ErrUnimplemented
	}
	return kinds[err.Status] == kind
}

// The error that an answer stands for, in whichever style it is.
func errorFromResponse(response *http.Response, body []byte) *Error {
	found := &Error{Status: response.StatusCode, RequestID: response.Header.Get("X-Request-Id")}
	found.RetryAfter, found.asksToWait = retryAfter(response.Header.Get("Retry-After"))
	content := readError(body)
	found.Message, found.Code = content.message, content.code
	if found.Message == "" {
		text := []rune(strings.TrimSpace(strings.ToValidUTF8(string(body), "\uFFFD")))
		found.Message = string(text[:min(len(text), messageLength)])
	}
	if found.Message == "" {
		found.Message = fmt.Sprintf("the server answered %d without a word", found.Status)
	}
	// No thing of the product is missing where the answer is not one of its errors.
	isMissing := found.Status == http.StatusNotFound && (!content.isObject || strings.Contains(found.Message, noPath))
	found.isUnsupported = isMissing || found.Status == http.StatusMethodNotAllowed || found.Status == http.StatusNotImplemented
	if found.isUnsupported {
		request := response.Request
		found.Message = fmt.Sprintf("%s %s is not supported by this server: %s", request.Method, request.URL.EscapedPath(), found.Message)
	}
	return found
}

// The error with which a stream ends.
func errorInStream(body []byte, requestID string) *Error {
	content := readError(body)
	found := &Error{Status: statusOfReason[content.code], Code: content.code, Message: content.message, RequestID: requestID}
	if found.Status == 0 {
		found.Status = http.StatusInternalServerError
	}
	if found.Message == "" {
		found.Message = "the stream failed"
	}
	return found
}

type errorContent struct {
	message, code string
	isObject      bool
	// Whether there is a message and a reason, and nothing else.
	isBare bool
}

// Reads a body of either style; a number as code is no reason.
func readError(body []byte) errorContent {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil || members == nil {
		return errorContent{}
	}
	text := func(key string) (value string) {
		if json.Unmarshal(members[key], &value) != nil {
			return ""
		}
		return value
	}
	_, hasError := members["error"]
	_, hasCode := members["code"]
	message := text("error")
	if message == "" {
		message = text("message")
	}
	return errorContent{message, text("code"), true, hasError && hasCode && len(members) == 2}
}

// The time of a Retry-After, which may also be a date.
func retryAfter(value string) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	moment, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return max(0, time.Until(moment)), true
}

// An error of the transport in words of this package. An end that the caller asked for stays what it is.
func transportError(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout() && !isDial(err):
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", ErrConnection, err)
}

// Whether there was no connection to begin with.
func isDial(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) && operation.Op == "dial"
}
