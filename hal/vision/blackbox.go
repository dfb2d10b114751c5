package vision

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// boxFD is the descriptor on which a worker finds its black box.
const boxFD = 4

// Lane is one of the two threads of work that a worker's black box follows.
type Lane uint8

// The lanes.
const (
	LaneCamera Lane = iota
	LaneWork
	laneCount
)

// Trace is what a worker is doing: the step, and the frame it does it to. It tells one frame from another and shows none.
type Trace struct {
	// Stage is the step, at most 15 bytes; a network's step has the network's name.
	Stage string `json:"stage"`
	// Since is when the step began, FrameAt when the frame was taken, CLOCK_MONOTONIC nanoseconds.
	Since   int64 `json:"since"`
	FrameAt int64 `json:"frame_at"`
	// Frame counts the worker's frames from 1; 0 before the first.
	Frame  uint32 `json:"frame"`
	Width  uint32 `json:"width"`
	Height uint32 `json:"height"`
	// Digest is of some of the frame's pixels, Mean the mean of these.
	Digest uint64 `json:"digest"`
	Mean   uint8  `json:"mean"`
}

// The box is shared memory: for each lane two copies of its last trace, so that one is whole however the worker ends. It belongs to
// the supervisor, which reads it with the worker gone.
const (
	boxBytes   = 4096
	slotBytes  = 128
	traceBytes = 8 + 16 + 8 + 8 + 4 + 4 + 4 + 8 + 1
)

// ErrBox is returned for a lane of a black box that was never written, or is torn.
var ErrBox = errors.New("vision: nothing in the black box")

// newBox makes the memory. It cannot be made smaller, so that a worker cannot take it away under its reader.
func newBox() (*os.File, error) {
	fd, err := unix.MemfdCreate("gatevision", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make black box: %w", err)
	}
	f := os.NewFile(uintptr(fd), "black box")
	err = f.Truncate(boxBytes)
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make black box: %w", err), f.Close())
	}
	return f, nil
}

// box is the worker's side. Nil writes nowhere.
type box struct {
	mu  sync.Mutex
	mem []byte
	seq [laneCount]uint64
}

// openBox maps the inherited memory; nil where there is none.
func openBox() *box {
	var st unix.Stat_t
	if unix.Fstat(boxFD, &st) != nil || st.Size != boxBytes {
		return nil
	}
	mem, err := unix.Mmap(boxFD, 0, boxBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil
	}
	_ = unix.Close(boxFD)
	return &box{mem: mem}
}

// note writes over the older of the lane's two copies.
func (b *box) note(l Lane, t Trace) {
	if b == nil || l >= laneCount {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq[l]++
	t.put(b.mem[slot(l, b.seq[l]):], b.seq[l])
}

func slot(l Lane, seq uint64) int { return (2*int(l) + int(seq%2)) * slotBytes }

func (t Trace) put(to []byte, seq uint64) {
	b := make([]byte, 0, slotBytes)
	b = binary.BigEndian.AppendUint64(b, seq)
	var stage [16]byte
	copy(stage[:15], t.Stage)
	b = append(b, stage[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.Since))
	b = binary.BigEndian.AppendUint64(b, uint64(t.FrameAt))
	b = binary.BigEndian.AppendUint32(b, t.Frame)
	b = binary.BigEndian.AppendUint32(b, t.Width)
	b = binary.BigEndian.AppendUint32(b, t.Height)
	b = binary.BigEndian.AppendUint64(b, t.Digest)
	b = append(b, t.Mean)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	copy(to, b)
}

// readBox returns the newest whole trace of a lane. What it reads was written by a process that may have been taken over.
func readBox(f *os.File, l Lane) (Trace, error) {
	var best Trace
	var newest uint64
	for i := range uint64(2) {
		b := make([]byte, slotBytes)
		if _, err := f.ReadAt(b, int64(slot(l, i))); err != nil {
			return Trace{}, fmt.Errorf("read black box: %w", err)
		}
		if t, seq, ok := takeTrace(b); ok && seq > newest {
			best, newest = t, seq
		}
	}
	if newest == 0 {
		return Trace{}, ErrBox
	}
	return best, nil
}

func takeTrace(b []byte) (Trace, uint64, bool) {
	if len(b) < traceBytes+4 || binary.BigEndian.Uint32(b[traceBytes:]) != crc32.ChecksumIEEE(b[:traceBytes]) {
		return Trace{}, 0, false
	}
	u64 := func(at int) uint64 { return binary.BigEndian.Uint64(b[at:]) }
	u32 := func(at int) uint32 { return binary.BigEndian.Uint32(b[at:]) }
	t := Trace{
		Stage: printable(b[8:23]), Since: int64(u64(24)), FrameAt: int64(u64(32)), Frame: u32(40), Width: u32(44), Height: u32(48),
		Digest: u64(52), Mean: b[60],
	}
	return t, u64(0), true
}

// printable keeps lower-case letters, digits and underscores up to the first other byte.
func printable(b []byte) string {
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return string(b[:i])
		}
	}
	return string(b)
}
