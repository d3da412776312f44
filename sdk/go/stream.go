package aiinfra

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"time"
)

// Server-sent events, and a JSON text on each line where a server has no events.
const (
	streamTypes = "text/event-stream, application/x-ndjson;q=0.5"
	longestLine = 16 << 20
)

var (
	errStopped = errors.New("the consumer has enough")
	errEnded   = fmt.Errorf("%w: the stream ended", ErrConnection)
)

// Calls an operation that answers with message after message. It holds a connection until the end of the loop.
func stream[T any](ctx context.Context, connection *connection, request request) iter.Seq2[T, error] {
	request.accept = streamTypes
	return func(yield func(T, error) bool) {
		request := request
		eachMember(request.params, "header", request.noteParameter)
		attempt, hasBegun := 1, false
		for {
			err := messages(ctx, connection, &request, func(content []byte) error {
				var message T
				if err := json.Unmarshal(content, &message); err != nil {
					return fmt.Errorf("%w: a message of the stream: %w", ErrInvalidResponse, err)
				}
				attempt, hasBegun = 1, true
				if !yield(message, nil) {
					return errStopped
				}
				return nil
			})
			if err == nil && request.isEndless() {
				err = errEnded
			}
			if err == nil || errors.Is(err, errStopped) {
				return
			}
			canGoOn := !hasBegun || (request.resumable && request.lastEventID != "")
			if !canGoOn || !connection.waitAfter(ctx, err, attempt, &request) {
				var none T
				yield(none, err)
				return
			}
			attempt++
		}
	}
}

// Takes up a header in which the caller says where to go on.
func (request *request) noteParameter(key, value string) {
	if request.resumable && key == "Last-Event-ID" {
		request.lastEventID = value
	}
}

// Whether a stream that ends without an error was cut off: one that goes on for ever, unless it was asked for what is there already.
func (request *request) isEndless() (endless bool) {
	endless = request.resumable
	eachMember(request.params, "query", func(key, _ string) { endless = endless && key != "once" })
	return endless
}

// Hands on the messages of one connection, and remembers the last one.
func messages(ctx context.Context, connection *connection, request *request, take func([]byte) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(connection.idleTimeout, func() { cancel(context.DeadlineExceeded) })
	defer idle.Stop()
	response, err := connection.send(ctx, request)
	if err != nil {
		return idleError(ctx, err)
	}
	defer response.Body.Close()
	requestID := response.Header.Get("X-Request-Id")
	if !isSuccess(response) {
		_, err := connection.read(ctx, request, response)
		return idleError(ctx, err)
	}
	connection.show(request, response, nil)
	lines := bufio.NewScanner(awake{response.Body, idle, connection.idleTimeout})
	lines.Buffer(nil, longestLine)
	err = eachLine(response, requestID, lines, request, take)
	if errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%w: a line of the stream has no end", ErrInvalidResponse)
	}
	return idleError(ctx, err)
}

func eachLine(response *http.Response, requestID string, lines *bufio.Scanner, request *request, take func([]byte) error) error {
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	isEvents := kind == "text/event-stream"
	var event event
	for lines.Scan() {
		line := lines.Bytes()
		var err error
		switch {
		case isEvents && len(line) > 0:
			event.take(line)
		case isEvents:
			err = event.dispatch(requestID, request, take)
			event.clear()
		case len(bytes.TrimSpace(line)) > 0:
			err = takeLine(line, requestID, take)
		}
		if err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if len(event.data) > 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func takeLine(line []byte, requestID string, take func([]byte) error) error {
	if readError(line).isBare {
		return errorInStream(line, requestID)
	}
	return take(line)
}

// One server-sent event.
type event struct {
	name, id string
	data     []byte
}

func (event *event) take(line []byte) {
	key, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(key) {
	case "event":
		event.name = string(value)
	case "id":
		event.id = string(value)
	case "data":
		if len(event.data) > 0 {
			event.data = append(event.data, '\n')
		}
		event.data = append(event.data, value...)
	}
}

func (event *event) dispatch(requestID string, request *request, take func([]byte) error) error {
	if len(event.data) == 0 {
		return nil
	}
	if event.name == "error" {
		return errorInStream(event.data, requestID)
	}
	if err := take(event.data); err != nil {
		return err
	}
	if event.id != "" {
		request.lastEventID = event.id
	}
	return nil
}

func (event *event) clear() {
	event.name, event.id, event.data = "", "", event.data[:0]
}

// A body that puts off the end for silence with everything that comes.
type awake struct {
	body  io.Reader
	idle  *time.Timer
	after time.Duration
}

func (awake awake) Read(buffer []byte) (int, error) {
	awake.idle.Reset(awake.after)
	return awake.body.Read(buffer)
}

// An error of a stream: of silence, of the transport, or already one of this package.
func idleError(ctx context.Context, err error) error {
	var answer *Error
	isOurs := errors.As(err, &answer) || errors.Is(err, ErrInvalidResponse) || errors.Is(err, ErrConnection) || errors.Is(err, errStopped)
	switch {
	case err == nil || isOurs:
		return err
	case context.Cause(ctx) == context.DeadlineExceeded && !errors.Is(err, ErrTimeout):
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	case errors.Is(err, ErrTimeout):
		return err
	}
	return transportError(ctx, err)
}
