package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"bordergate/biometrics/vision"
)

// Bits of a raw picture's flags.
const (
	rawCentre = 1 << iota // the face nearest the middle, not the largest
	rawLive               // score liveness too
)

// maxRaw bounds a raw picture in bytes.
const maxRaw = 64 << 20

// rawPicture comes as four little-endian words (width, height, flags, 0) and BGR pixels, rows without gaps.
type rawPicture struct {
	w, h  int
	flags uint32
	bgr   []byte
}

// rawLine answers it. Times are of the clock on the wall: with several threads the CPU's own would add up.
type rawLine struct {
	Found  int         `json:"found"`
	Box    [4]float64  `json:"box"`
	Vector []float32   `json:"vector"`
	Live   [3]float64  `json:"live"`
	Micros stageMicros `json:"micros"`
}

type stageMicros struct {
	Detect    float64 `json:"detect"`
	Landmarks float64 `json:"landmarks"`
	Embed     float64 `json:"embed"` // align and embed
	Liveness  float64 `json:"liveness"`
	Frame     float64 `json:"frame"` // all, with quality and what is between
}

// runRaw is "gatevision raw": what the worker does with a frame, timed inside the process.
func runRaw(args []string, in io.Reader, out, errOut io.Writer) int {
	fs := flag.NewFlagSet("gatevision raw", flag.ContinueOnError)
	fs.SetOutput(errOut)
	var m modelFlags
	m.register(fs)
	if err := fs.Parse(args); err != nil {
		return exitUnable
	}
	pipe, err := m.open()
	if err != nil {
		fmt.Fprintf(errOut, "gatevision: %v\n", err)
		return exitUnable
	}
	defer pipe.Close()
	from, enc := bufio.NewReaderSize(in, 1<<20), json.NewEncoder(out)
	for p := (rawPicture{}); ; {
		err := p.read(from)
		if errors.Is(err, io.EOF) {
			return exitDone
		}
		var line rawLine
		if err == nil {
			line, err = raw(pipe, p)
		}
		if err == nil {
			err = enc.Encode(line)
		}
		if err != nil {
			fmt.Fprintf(errOut, "gatevision raw: %v\n", err)
			return exitUnable
		}
	}
}

// read takes the next picture into p, whose memory it uses again; io.EOF between two pictures only.
func (p *rawPicture) read(in io.Reader) error {
	var head [16]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return errors.New("read picture: cut off")
		}
		return err
	}
	w, h := binary.LittleEndian.Uint32(head[0:]), binary.LittleEndian.Uint32(head[4:])
	if n := uint64(w) * uint64(h) * 3; n > maxRaw {
		return fmt.Errorf("read picture: %w: %dx%d", vision.ErrImage, w, h)
	}
	p.w, p.h, p.flags = int(w), int(h), binary.LittleEndian.Uint32(head[8:])
	n := p.w * p.h * 3
	if cap(p.bgr) < n {
		p.bgr = make([]byte, n)
	}
	p.bgr = p.bgr[:n]
	if _, err := io.ReadFull(in, p.bgr); err != nil {
		return errors.New("read picture: cut off")
	}
	return nil
}

// raw analyses one picture. A face that cannot be cut out is none.
func raw(pipe *vision.Pipeline, p rawPicture) (rawLine, error) {
	f, err := vision.RawFrame(p.w, p.h, p.bgr)
	if err != nil {
		return rawLine{}, err
	}
	defer f.Close()
	want := vision.Want{Embed: vision.Always, Live: vision.Never}
	if p.flags&rawLive != 0 {
		want.Live = vision.Always
	}
	begin := time.Now()
	found, err := pipe.Detect(f)
	if err != nil {
		return rawLine{}, err
	}
	i := vision.Largest(found)
	if p.flags&rawCentre != 0 {
		i = vision.NearestCentre(found, p.w, p.h)
	}
	line := rawLine{Found: len(found)}
	if i >= 0 {
		face, err := pipe.Analyse(f, found[i], want)
		if err != nil && !errors.Is(err, vision.ErrImage) {
			return rawLine{}, err
		}
		b := face.Box
		line.Box, line.Vector = [4]float64{b.X, b.Y, b.W, b.H}, face.Raw
		if l := face.Live; l != nil {
			line.Live = [3]float64{l.MS27, l.SQ15, float64(l.Lines)}
		}
	}
	t := pipe.Timing()
	line.Micros = stageMicros{
		Detect: micros(t.Detect), Landmarks: micros(t.Landmark), Embed: micros(t.Align + t.Feature),
		Liveness: micros(t.Liveness + t.Lines), Frame: micros(time.Since(begin)),
	}
	return line, nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
