package turnstile

import (
	"bytes"
	"testing"
)

// An adapter that hears itself is found out by a question that tells, and the
// echo is then taken off every answer.
func TestEchoIsFoundOutAndTakenOff(t *testing.T) {
	l := &Line{}
	tells, other := Question{Send: []byte{1, 2, 3}, Tells: true}, Question{Send: []byte{4, 5}}
	for _, c := range []struct {
		q     Question
		p     []byte
		rest  []byte
		whole bool
		echo  bool
	}{
		{other, []byte{4, 5, 9}, []byte{4, 5, 9}, true, false},
		{tells, []byte{1, 2}, []byte{1, 2}, true, false},
		{tells, []byte{1, 2, 3, 9}, []byte{9}, true, true},
		{other, []byte{4}, nil, false, true},
		{other, []byte{4, 5, 9}, []byte{9}, true, true},
		{tells, []byte{1, 7, 3}, []byte{1, 7, 3}, true, false},
	} {
		rest, whole := l.withoutEcho(c.q, c.p)
		if !bytes.Equal(rest, c.rest) || whole != c.whole || l.echo != c.echo {
			t.Errorf("% X of % X: % X, %v, echo %v", c.q.Send, c.p, rest, whole, l.echo)
		}
	}
}
