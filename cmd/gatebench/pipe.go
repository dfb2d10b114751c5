package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"bordergate/barcode/symbol"
)

// frame is what goes to a reader; the form on the pipe is told in pipe.h beside
// the peers.
type frame struct {
	w, h      int
	symbology uint32
	budget    time.Duration // 0 for as long as it takes
	fresh     bool          // the first of a scene
	pix       []byte
}

// answer is what a reader says of a frame.
type answer struct {
	cpu      time.Duration
	payloads [][]byte
}

// reader is a process that reads pictures from a pipe, ours or a peer.
type reader struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

func startReader(ctx context.Context, name, program string, args ...string) (*reader, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return &reader{name: name, cmd: cmd, in: in, out: bufio.NewReader(out)}, nil
}

func (r *reader) close() error { return errors.Join(r.in.Close(), r.cmd.Wait()) }

// ask sends words and pixels, and returns the line that answers them.
func (r *reader) ask(words []uint32, pix []byte) (string, error) {
	var head []byte
	for _, w := range words {
		head = binary.LittleEndian.AppendUint32(head, w)
	}
	for _, b := range [][]byte{head, pix} {
		if _, err := r.in.Write(b); err != nil {
			return "", fmt.Errorf("give %s a picture: %w", r.name, err)
		}
	}
	line, err := r.out.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("hear of %s: %w", r.name, err)
	}
	return line, nil
}

func (r *reader) read(f frame) (answer, error) {
	words := []uint32{uint32(f.w), uint32(f.h), f.symbology, uint32(f.budget.Microseconds()), 0}
	if f.fresh {
		words[4] = 1
	}
	line, err := r.ask(words, f.pix)
	if err != nil {
		return answer{}, err
	}
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return answer{}, fmt.Errorf("hear of %s: an empty line", r.name)
	}
	micros, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return answer{}, fmt.Errorf("hear of %s: %w", r.name, err)
	}
	a := answer{cpu: time.Duration(micros) * time.Microsecond}
	for _, text := range fields[1:] {
		payload, err := hex.DecodeString(text)
		if err != nil {
			return answer{}, fmt.Errorf("hear of %s: %w", r.name, err)
		}
		a.payloads = append(a.payloads, payload)
	}
	return a, nil
}

// serveReader is our side of the pipe. The budget is
// counted in the CPU time of the process, the collector's with it: what else
// runs on the machine does not shorten a frame.
func serveReader(in io.Reader, out io.Writer) error {
	from := bufio.NewReaderSize(in, 1<<20)
	ours := symbol.NewReader(symbol.Clock(cpu))
	var pix []byte
	for {
		var head [20]byte
		if _, err := io.ReadFull(from, head[:]); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read frame: %w", err)
		}
		word := func(i int) int { return int(binary.LittleEndian.Uint32(head[4*i:])) }
		l := symbol.Luma{W: word(0), H: word(1), Stride: word(0)}
		if l.W > symbol.MaxSide || l.H > symbol.MaxSide || l.W*l.H > symbol.MaxPixels {
			return fmt.Errorf("read frame: %w", symbol.ErrFrame)
		}
		if n := l.W * l.H; cap(pix) < n {
			pix = make([]byte, n)
		}
		l.Pix = pix[:l.W*l.H]
		if _, err := io.ReadFull(from, l.Pix); err != nil {
			return fmt.Errorf("read frame: %w", err)
		}
		budget := time.Duration(word(3)) * time.Microsecond
		if budget == 0 {
			budget = time.Minute
		}
		if word(4) == 1 {
			ours.Forget()
		}
		begin := cpu()
		found := ours.Read(l, budget)
		line := strconv.AppendInt(nil, cpu().Sub(begin).Microseconds(), 10)
		for _, s := range found {
			line = hex.AppendEncode(append(line, ' '), s.Payload)
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}

// cpu is the time this process has computed, on an arbitrary date.
func cpu() time.Time {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return time.Now()
	}
	return time.Unix(t.Unix())
}
