package line

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// publish makes a PUBLISH packet of quality 1.
func publish(id uint16, size int) []byte {
	body := append([]byte{0, 1, 't'}, binary.BigEndian.AppendUint16(nil, id)...)
	body = append(body, make([]byte, size)...)
	p := []byte{typePublish<<4 | 1<<1}
	for n := len(body); ; n >>= 7 {
		b := byte(n & 0x7f)
		if n >= 0x80 {
			b |= 0x80
		}
		p = append(p, b)
		if n < 0x80 {
			return append(p, body...)
		}
	}
}

func id(p []byte) uint16 {
	ack := puback(p)
	if ack == nil {
		return 0
	}
	return binary.BigEndian.Uint16(ack[2:])
}

// ends are both ends of a line that is open.
func ends(t *testing.T, o Options) (l *Line, near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	o.To = ln.Addr().String()
	if l, err = New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	if near, err = net.Dial("tcp", l.Address()); err != nil {
		t.Fatal(err)
	}
	if far, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{near, far} {
		if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	return l, near, far
}

func send(t *testing.T, c net.Conn, packets ...[]byte) {
	t.Helper()
	for _, p := range packets {
		if _, err := c.Write(p); err != nil {
			t.Fatal(err)
		}
	}
}

func receive(t *testing.T, r *bufio.Reader) []byte {
	t.Helper()
	p, err := readPacket(r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFaultlessLineChangesNothing(t *testing.T) {
	_, near, far := ends(t, Options{})
	sent := [][]byte{publish(1, 0), {12 << 4, 0}, publish(2, 200), publish(3, 70_000)}
	send(t, near, sent...)
	r := bufio.NewReader(far)
	for i, want := range sent {
		if got := receive(t, r); !bytes.Equal(got, want) {
			t.Fatalf("packet %d came as %d bytes, sent were %d", i, len(got), len(want))
		}
	}
}

// TestFaults plays each fault with certainty: what arrives, and what the sender
// is told.
func TestFaults(t *testing.T) {
	ping := []byte{12 << 4, 0}
	for _, c := range []struct {
		name    string
		faults  Faults
		arrives []uint16 // 0: the ping
		counts  Counts
		acked   bool
	}{
		{"drop", Faults{Drop: 1}, []uint16{0}, Counts{Connections: 1, Dropped: 2}, true},
		{"double", Faults{Double: 1}, []uint16{1, 1, 2, 2, 0}, Counts{Connections: 1, Doubled: 2, Passed: 4}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, near, far := ends(t, Options{})
			l.Set(c.faults)
			send(t, near, publish(1, 10), publish(2, 10), ping)
			r := bufio.NewReader(far)
			for _, want := range c.arrives {
				p := receive(t, r)
				if want == 0 && bytes.Equal(p, ping) {
					continue
				}
				if want == 0 || id(p) != want {
					t.Fatalf("%x came, want %d", p, want)
				}
			}
			if got := l.Counts(); got != c.counts {
				t.Errorf("counts %+v, want %+v", got, c.counts)
			}
			if !c.acked {
				return
			}
			for _, want := range [][]byte{{typePuback << 4, 2, 0, 1}, {typePuback << 4, 2, 0, 2}} {
				if got := receive(t, bufio.NewReaderSize(io.LimitReader(near, 4), 16)); !bytes.Equal(got, want) {
					t.Errorf("the sender was told %x, want %x", got, want)
				}
			}
		})
	}
}

// TestSwap holds that a packet that waits comes right after the next one.
func TestSwap(t *testing.T) {
	l, near, far := ends(t, Options{})
	l.Set(Faults{Swap: 1})
	send(t, near, publish(1, 10)) // held; released by its own successor or by time
	send(t, near, publish(2, 10))
	r := bufio.NewReader(far)
	got := []uint16{id(receive(t, r)), id(receive(t, r))}
	if got[0]+got[1] != 3 {
		t.Errorf("came %v: one is missing", got)
	}
	if l.Counts().Swapped != 2 {
		t.Errorf("%+v", l.Counts())
	}
}

func TestCutEndsBothHalves(t *testing.T) {
	l, near, far := ends(t, Options{})
	send(t, near, publish(1, 10))
	receive(t, bufio.NewReader(far))
	l.Cut()
	for _, c := range []net.Conn{near, far} {
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) {
			t.Errorf("read after the cut: %v", err)
		}
	}
}

// TestReadPacket refuses what is none or too large.
func TestReadPacket(t *testing.T) {
	for _, c := range []struct {
		in  []byte
		err error
	}{
		{publish(1, 300), nil},
		{[]byte{0x30, 0x80, 0x80, 0x80, 0x80, 1}, errPacket},
		{[]byte{0x30, 0xff, 0xff, 0xff, 0x7f}, errPacket},
		{[]byte{0x30, 5, 1}, io.ErrUnexpectedEOF},
		{nil, io.EOF},
	} {
		got, err := readPacket(bufio.NewReader(bytes.NewReader(c.in)))
		if !errors.Is(err, c.err) || err == nil && !bytes.Equal(got, c.in) {
			t.Errorf("%x: %v, want %v", c.in[:min(len(c.in), 8)], err, c.err)
		}
	}
	for _, p := range [][]byte{{0x30, 0}, {0x32, 2, 0, 9}, {0x32, 3, 0, 1, 't'}} {
		if puback(p) != nil {
			t.Errorf("%x was acknowledged", p)
		}
	}
}
