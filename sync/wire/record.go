package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Stream is a class of records with its own sequence and cursor.
type Stream uint8

// The streams of a gate.
const (
	StreamCrossing  Stream = iota + 1 // one traveller each; never thinned out
	StreamAlarm                       // safety and security; never thinned out
	StreamTelemetry                   // health; may thin out with a recorded gap
	StreamImage                       // evidence; lowest rank
	streamEnd
)

var streamText = [...]string{
	StreamCrossing: "crossing", StreamAlarm: "alarm", StreamTelemetry: "telemetry", StreamImage: "image",
}

// Streams lists every stream in order.
func Streams() []Stream {
	return []Stream{StreamCrossing, StreamAlarm, StreamTelemetry, StreamImage}
}

// String is the stream's name in topics and messages, or "invalid".
func (s Stream) String() string {
	if s == 0 || s >= streamEnd {
		return "invalid"
	}
	return streamText[s]
}

// ParseStream accepts exactly the stream names.
func ParseStream(name string) (Stream, error) {
	for _, s := range Streams() {
		if streamText[s] == name {
			return s, nil
		}
	}
	return 0, fmt.Errorf("parse stream %.20q: not one of crossing alarm telemetry image", name)
}

// Hash is the SHA-256 of a record's encoding; the zero Hash precedes the first
// record of a stream.
type Hash [sha256.Size]byte

// Limits of a record's parts, in bytes.
const (
	MaxGateID = 40
	MaxKind   = 32
	MaxPublic = 32 << 10
	MaxSealed = 96 << 10 // so that the largest record still fits a message
)

const recordVersion = 1

// Record is one thing that happened at a gate, in the form that is stored,
// chained, sent and kept. (Gate, Epoch, Stream, Seq) identifies it for ever.
//
// Public holds no personal data. Sealed is vault ciphertext under the key of
// (Day, Class); the chain runs over the ciphertext, so that destroying that
// key deletes the personal part and the chain still verifies.
type Record struct {
	Gate   string   // 1 to MaxGateID of [a-z0-9-]
	Epoch  uint64   // of the gate's journal; a journal made anew has another
	Stream Stream   //
	Seq    uint64   // from 1, without a hole
	Prev   Hash     // of the record Seq-1 of the same gate, epoch and stream
	Boot   [16]byte // the machine's boot id
	Mono   int64    // CLOCK_MONOTONIC of that boot, ns
	Wall   int64    // Unix time, ns
	Trust  uint8    // how far Wall is to be trusted, hal.Trust
	Tx     [16]byte // transaction, zero where there is none
	Kind   string   // what happened: lower-case words with '_'
	// Simulated marks what a simulator caused; it never becomes a border
	// crossing.
	Simulated bool
	Public    []byte // JSON, or empty
	Class     uint8  // vault class of Sealed
	Day       uint32 // days since 1970-01-01 UTC of the key of Sealed
	Sealed    []byte // or empty
}

// Errors of DecodeRecord.
var (
	ErrRecordShort   = errors.New("record is cut short")
	ErrRecordVersion = errors.New("record version is unknown")
	ErrRecordCRC     = errors.New("record checksum does not fit")
	ErrRecordValue   = errors.New("record field is out of bounds")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode gives the record's one encoding, which ends with a CRC-32C of what
// stands before it. Integers are big-endian.
func (r *Record) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	b := make([]byte, 0, 200+len(r.Public)+len(r.Sealed))
	b = append(b, recordVersion, byte(len(r.Gate)))
	b = append(b, r.Gate...)
	b = binary.BigEndian.AppendUint64(b, r.Epoch)
	b = append(b, byte(r.Stream))
	b = binary.BigEndian.AppendUint64(b, r.Seq)
	b = append(b, r.Prev[:]...)
	b = append(b, r.Boot[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Mono))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Wall))
	b = append(b, r.Trust)
	b = append(b, r.Tx[:]...)
	b = append(b, byte(len(r.Kind)))
	b = append(b, r.Kind...)
	var flags byte
	if r.Simulated {
		flags = 1
	}
	b = append(b, flags, r.Class)
	b = binary.BigEndian.AppendUint32(b, r.Day)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Public)))
	b = append(b, r.Public...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Sealed)))
	b = append(b, r.Sealed...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

func (r *Record) check() error {
	switch {
	case !ValidGateID(r.Gate):
		return fmt.Errorf("%w: gate id %.60q", ErrRecordValue, r.Gate)
	case r.Stream == 0 || r.Stream >= streamEnd:
		return fmt.Errorf("%w: stream %d", ErrRecordValue, r.Stream)
	case r.Seq == 0:
		return fmt.Errorf("%w: sequence 0", ErrRecordValue)
	case len(r.Kind) == 0 || len(r.Kind) > MaxKind:
		return fmt.Errorf("%w: kind %.60q", ErrRecordValue, r.Kind)
	case len(r.Public) > MaxPublic:
		return fmt.Errorf("%w: public part of %d bytes, at most %d", ErrRecordValue, len(r.Public), MaxPublic)
	case len(r.Sealed) > MaxSealed:
		return fmt.Errorf("%w: sealed part of %d bytes, at most %d", ErrRecordValue, len(r.Sealed), MaxSealed)
	}
	return nil
}

// ValidGateID reports whether id can name a gate: 1 to MaxGateID characters of
// a-z, 0-9 and '-', since it is a level of MQTT topics and of NATS subjects.
func ValidGateID(id string) bool {
	if len(id) == 0 || len(id) > MaxGateID {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// HashOf is the hash by which the next record names the one encoded in b.
func HashOf(b []byte) Hash { return sha256.Sum256(b) }

// DecodeRecord reads one whole encoding; bytes before or after it are an
// error. The record's slices alias b.
func DecodeRecord(b []byte) (Record, error) {
	var r Record
	if len(b) < 5 {
		return r, ErrRecordShort
	}
	if b[0] != recordVersion {
		return r, fmt.Errorf("%w: %d", ErrRecordVersion, b[0])
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return r, ErrRecordCRC
	}
	d := reader{b: body[1:]}
	r.Gate = string(d.take(int(d.u8())))
	r.Epoch = d.u64()
	r.Stream = Stream(d.u8())
	r.Seq = d.u64()
	copy(r.Prev[:], d.take(len(r.Prev)))
	copy(r.Boot[:], d.take(len(r.Boot)))
	r.Mono = int64(d.u64())
	r.Wall = int64(d.u64())
	r.Trust = d.u8()
	copy(r.Tx[:], d.take(len(r.Tx)))
	r.Kind = string(d.take(int(d.u8())))
	flags := d.u8()
	r.Simulated = flags&1 != 0
	r.Class = d.u8()
	r.Day = d.u32()
	r.Public = d.take(int(d.u32()))
	r.Sealed = d.take(int(d.u32()))
	switch {
	case d.short || len(d.b) != 0:
		return Record{}, ErrRecordShort
	case flags > 1:
		return Record{}, fmt.Errorf("%w: flags %#x", ErrRecordValue, flags)
	}
	return r, r.check()
}

type reader struct {
	b     []byte
	short bool
}

func (d *reader) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.short, d.b = true, nil
		return nil
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}

func (d *reader) u8() uint8 {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *reader) u32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *reader) u64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}
