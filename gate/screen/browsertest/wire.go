package browsertest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// errGone is a call's end when the browser has ended.
var errGone = errors.New("the browser has ended")

// wire is the DevTools protocol over two pipes: JSON documents, each ended by a
// zero byte. A call has an id and gets one answer; what has a method and no id
// is an event of the session that it names.
type wire struct {
	out  writer
	done chan struct{}

	send    sync.Mutex // one call at a time is written
	mu      sync.Mutex
	next    int
	waiting map[int]chan frame
	hear    map[string]func(method string, params json.RawMessage)
}

// writer is a pipe whose writes can be given an end.
type writer interface {
	io.Writer
	SetWriteDeadline(t time.Time) error
}

type frame struct {
	ID      int             `json:"id,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

func newWire(in io.Reader, out writer) *wire {
	w := &wire{out: out, done: make(chan struct{}), waiting: map[int]chan frame{}, hear: map[string]func(string, json.RawMessage){}}
	go w.read(in)
	return w
}

// read ends with the pipe; whoever waits then learns that the browser has gone.
func (w *wire) read(in io.Reader) {
	defer close(w.done)
	buf := bufio.NewReaderSize(in, 1<<20)
	for {
		b, err := buf.ReadBytes(0)
		if err != nil {
			return
		}
		var f frame
		if json.Unmarshal(b[:len(b)-1], &f) != nil {
			return
		}
		w.mu.Lock()
		answer, hear := w.waiting[f.ID], w.hear[f.Session]
		delete(w.waiting, f.ID)
		w.mu.Unlock()
		switch {
		case answer != nil:
			answer <- f
		case f.Method != "" && hear != nil:
			hear(f.Method, f.Params)
		}
	}
}

// call asks for one thing and waits for the answer.
func (w *wire) call(ctx context.Context, session, method string, params, into any) error {
	raw, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	answer := make(chan frame, 1)
	w.mu.Lock()
	w.next++
	f := frame{ID: w.next, Session: session, Method: method, Params: raw}
	w.waiting[f.ID] = answer
	w.mu.Unlock()
	if err := w.write(ctx, f); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case f = <-answer:
	case <-w.done:
		return fmt.Errorf("%s: %w", method, errGone)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
	if f.Error != nil {
		return fmt.Errorf("%s: %s", method, f.Error.Message)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(f.Result, into)
}

// write gives the browser a frame, until the context's deadline: one that hangs
// does not read.
func (w *wire) write(ctx context.Context, f frame) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	w.send.Lock()
	defer w.send.Unlock()
	end, _ := ctx.Deadline()
	if err := w.out.SetWriteDeadline(end); err != nil {
		return err
	}
	_, err = w.out.Write(append(b, 0))
	return err
}

// listen has the events of a session told, in order and from one goroutine.
func (w *wire) listen(session string, hear func(method string, params json.RawMessage)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hear[session] = hear
}
