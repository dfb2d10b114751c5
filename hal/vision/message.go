package vision

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Version is the protocol's version. Both ends are built from one tree, so another version is a mixed installation and is refused.
const Version = 3

// MaxBody is the largest body of a message in bytes.
const MaxBody = 1 << 20

const headerSize = 8

// magic starts every message, so that stray output on the socket is seen at once.
var magic = [2]byte{'B', 'g'}

// The protocol's refusals.
var (
	// ErrMagic is returned when the bytes are no message.
	ErrMagic = errors.New("vision: not a message")
	// ErrVersion is returned for a message of another protocol version.
	ErrVersion = errors.New("vision: worker and daemon speak different versions")
	// ErrTooLarge is returned for a body above MaxBody.
	ErrTooLarge = errors.New("vision: message too large")
	// ErrBody is returned for a body that does not have its kind's form.
	ErrBody = errors.New("vision: message body is malformed")
)

// Kind tells what a message is.
type Kind uint8

// The kinds of message. Those below 16 go down to the worker, the others come up.
const (
	kindConfig Kind = 1
	kindWatch  Kind = 2
	kindStop   Kind = 3
	kindStill  Kind = 4
	kindMirror Kind = 5

	kindReady  Kind = 16
	kindSymbol Kind = 17
	kindFace   Kind = 18
	kindHealth Kind = 19
	kindImage  Kind = 20
	kindFault  Kind = 21
	kindShown  Kind = 22
	kindView   Kind = 23
)

// Message is anything that goes over the socket. The types in this package that have this method are all there are.
type Message interface {
	kind() Kind
	encode(*encoder)
}

// Write sends one message with a single write.
func Write(w io.Writer, m Message) error {
	e := encoder{buf: make([]byte, headerSize, 256)}
	m.encode(&e)
	if e.err != nil {
		return fmt.Errorf("encode message %d: %w", m.kind(), e.err)
	}
	n := len(e.buf) - headerSize
	if n > MaxBody {
		return fmt.Errorf("encode message %d: %w", m.kind(), ErrTooLarge)
	}
	e.buf[0], e.buf[1], e.buf[2], e.buf[3] = magic[0], magic[1], Version, byte(m.kind())
	binary.BigEndian.PutUint32(e.buf[4:], uint32(n))
	if _, err := w.Write(e.buf); err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	return nil
}

// Read returns the next message. io.EOF means that the other end has gone between two messages; after any other error the stream
// cannot be used further.
func Read(r io.Reader) (Message, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:1]); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(r, h[1:]); err != nil {
		return nil, fmt.Errorf("read message: %w", noEOF(err))
	}
	if h[0] != magic[0] || h[1] != magic[1] {
		return nil, ErrMagic
	}
	if h[2] != Version {
		return nil, fmt.Errorf("%w: %d and %d", ErrVersion, h[2], Version)
	}
	n := binary.BigEndian.Uint32(h[4:])
	if n > MaxBody {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("read message: %w", noEOF(err))
	}
	m, err := decode(Kind(h[3]), body)
	if Kind(h[3]) == kindFace {
		clear(body) // the embedding lives in the message alone, where whoever is done with it can zero it
	}
	return m, err
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func decode(k Kind, body []byte) (Message, error) {
	d := &decoder{buf: body}
	var m Message
	switch k {
	case kindConfig:
		m = decodeConfig(d)
	case kindWatch:
		m = watch{Session: d.u32()}
	case kindStop:
		m = stop{}
	case kindStill:
		m = still{}
	case kindMirror:
		m = mirror{On: d.bool()}
	case kindReady:
		m = ready{PID: int(d.u32())}
	case kindSymbol:
		m = decodeSymbol(d)
	case kindFace:
		m = decodeFace(d)
	case kindHealth:
		m = decodeHealth(d)
	case kindImage:
		m = decodeImage(d)
	case kindView:
		m = View{FrameAt: d.i64(), JPEG: d.bytes(MaxView)}
	case kindShown:
		m = Shown{Session: d.u32(), FrameAt: d.i64()}
	case kindFault:
		m = Fault{Text: d.text(maxText)}
	default:
		return nil, fmt.Errorf("%w: kind %d", ErrBody, k)
	}
	if d.err == nil && len(d.buf) > 0 {
		d.fail("%d bytes too many", len(d.buf))
	}
	if d.err != nil {
		return nil, fmt.Errorf("%w: kind %d: %w", ErrBody, k, d.err)
	}
	return m, nil
}
