package line

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Limits of a line.
const (
	maxPacket = 1 << 20  // bytes; MQTT allows 256 MiB, ours have a quarter of this
	maxUnder  = 64 << 20 // bytes under way in one direction, then the sender waits
	swapWait  = 30 * time.Millisecond
)

// MQTT packet types (MQTT 3.1.1 §2.2.1).
const (
	typePublish = 3
	typePuback  = 4
)

var errPacket = errors.New("no MQTT packet")

// call is one connection through the line.
type call struct {
	line      *Line
	near, far net.Conn
	up, down  *way
	once      sync.Once
}

// end breaks both halves off.
func (c *call) end() {
	c.once.Do(func() {
		_ = c.near.Close()
		_ = c.far.Close()
		if c.up != nil {
			c.up.close()
			c.down.close()
		}
	})
}

// read takes packets from one end and puts them on their way; back is the way
// to their sender.
func (c *call) read(from net.Conn, on, back *way) {
	defer c.end()
	r := bufio.NewReaderSize(from, 64<<10)
	for {
		p, err := readPacket(r)
		if err != nil {
			return
		}
		if p[0]>>4 != typePublish {
			on.put(p)
			continue
		}
		l := c.line
		switch l.draw() {
		case drop:
			l.dropped.Add(1)
			if ack := puback(p); ack != nil {
				back.put(ack)
			}
		case double:
			l.doubled.Add(1)
			l.passed.Add(2)
			on.put(p)
			on.put(p)
		case swap:
			l.swapped.Add(1)
			l.passed.Add(1)
			on.hold(p)
		case cut:
			l.cuts.Add(1)
			return
		default:
			l.passed.Add(1)
			on.put(p)
			on.release() // whatever waited comes after it now
		}
	}
}

// readPacket reads one whole packet (MQTT 3.1.1 §2.2.3).
func readPacket(r *bufio.Reader) ([]byte, error) {
	p := make([]byte, 0, 64)
	size := 0
	for shift := 0; ; shift += 7 {
		if len(p) == 0 {
			b, err := r.ReadByte()
			if err != nil {
				return nil, err
			}
			p = append(p, b)
		}
		b, err := r.ReadByte()
		if err != nil {
			return nil, err
		}
		p = append(p, b)
		size |= int(b&0x7f) << shift
		if size > maxPacket || shift > 21 {
			return nil, errPacket
		}
		if b&0x80 == 0 {
			break
		}
	}
	n := len(p)
	p = append(p, make([]byte, size)...)
	_, err := io.ReadFull(r, p[n:])
	return p, err
}

// puback acknowledges a PUBLISH in its receiver's name; nil where none is due.
func puback(p []byte) []byte {
	if p[0]>>1&3 != 1 {
		return nil
	}
	n := 1
	for p[n]&0x80 != 0 {
		n++
	}
	body := p[n+1:]
	if len(body) < 2 {
		return nil
	}
	topic := int(binary.BigEndian.Uint16(body))
	if len(body) < topic+4 {
		return nil
	}
	return []byte{typePuback << 4, 2, body[topic+2], body[topic+3]}
}

// way is one direction of a call: packets that arrive a delay after they were
// put on it.
type way struct {
	call *call
	to   net.Conn

	mu     sync.Mutex
	more   *sync.Cond
	queue  []underWay
	bytes  int
	held   []byte // waits to be overtaken
	closed bool
}

type underWay struct {
	packet []byte
	due    time.Time
}

func newWay(c *call, to net.Conn) *way {
	w := &way{call: c, to: to}
	w.more = sync.NewCond(&w.mu)
	return w
}

func (w *way) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.more.Broadcast()
}

// put waits while too much is under way.
func (w *way) put(p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.bytes > maxUnder && !w.closed {
		w.more.Wait()
	}
	w.queue = append(w.queue, underWay{p, time.Now().Add(w.call.line.o.Delay)})
	w.bytes += len(p)
	w.more.Broadcast()
}

// hold keeps a packet until another has overtaken it, or for a moment.
func (w *way) hold(p []byte) {
	w.release()
	w.mu.Lock()
	w.held = p
	w.mu.Unlock()
	time.AfterFunc(swapWait, w.release)
}

func (w *way) release() {
	w.mu.Lock()
	p := w.held
	w.held = nil
	w.mu.Unlock()
	if p != nil {
		w.put(p)
	}
}

// write delivers what is due until the call ends.
func (w *way) write() {
	defer w.call.end()
	for {
		batch := w.next()
		if batch == nil {
			return
		}
		if wait := time.Until(batch[0].due); wait > 0 {
			<-time.After(wait)
		}
		for _, u := range batch {
			if _, err := w.to.Write(u.packet); err != nil {
				return
			}
		}
	}
}

// next takes the first packet and all that are due with it; nil at the end.
func (w *way) next() []underWay {
	const together = 2 * time.Millisecond
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) == 0 && !w.closed {
		w.more.Wait()
	}
	if w.closed {
		return nil
	}
	n := 1
	for n < len(w.queue) && n < 64 && w.queue[n].due.Sub(w.queue[0].due) < together {
		n++
	}
	out := w.queue[:n:n]
	w.queue = w.queue[n:]
	for _, u := range out {
		w.bytes -= len(u.packet)
	}
	w.more.Broadcast()
	return out
}
