package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image/color"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	bar "github.com/boombuler/barcode"
	"github.com/boombuler/barcode/aztec"
	"github.com/boombuler/barcode/datamatrix"
	"github.com/boombuler/barcode/qr"

	"bordergate/cmd/gatebench/frames"
)

// Symbologies as the pipe numbers them.
const (
	onQR = iota
	onDataMatrix
	onAztec
)

const frameLimit = 40 * time.Millisecond

// series is one table: frames of one symbology and size, alone or in sequences.
type series struct {
	name      string
	symbology uint32
	w, h      int
	base      float64 // pixels a module where the condition has no other
	length    int     // frames of a scene
	repeats   int     // scenes of each symbol and condition
	budget    time.Duration
	peers     []string
}

// scenes of each symbol under a condition: the gate's mix has a goal of its own
// that few would not prove.
func (s series) scenes(c frames.Condition) int {
	if c.Name == frames.Gate {
		return 6 * s.repeats
	}
	return s.repeats
}

func allSeries(repeats int) []series {
	qrPeers := []string{"zxing", "zbar"}
	return []series{
		{"qr 720p", onQR, 1280, 720, 4, 1, repeats, 0, qrPeers},
		{"qr 1080p", onQR, 1920, 1080, 6, 1, max(1, repeats/2), 0, qrPeers},
		{"qr 720p x5", onQR, 1280, 720, 4, 5, max(1, repeats/2), frameLimit, qrPeers},
		{"datamatrix 720p", onDataMatrix, 1280, 720, 4, 1, max(1, repeats/2), 0, []string{"zxing", "dmtx"}},
		{"aztec 720p", onAztec, 1280, 720, 4, 1, max(1, repeats/2), 0, []string{"zxing"}},
	}
}

type barcodeOptions struct {
	peers, out, only, conditions, worker string
	seed                                 uint64
	repeats, passes                      int
}

func barcode(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o barcodeOptions
	fs := flag.NewFlagSet("gatebench barcode", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.peers, "peers", "bin/.bench", "folder of the peers' programs")
	fs.StringVar(&o.out, "out", "out/bench.json", "file of results")
	fs.StringVar(&o.only, "series", "", "only the series whose names begin so")
	fs.StringVar(&o.conditions, "conditions", "", "only these conditions, with commas between")
	fs.Uint64Var(&o.seed, "seed", 1, "of the frames")
	fs.IntVar(&o.repeats, "repeats", 2, "scenes of each symbol and condition")
	fs.StringVar(&o.worker, "worker", "bin/.bench/gatevision", "the worker program that the stream is given to")
	fs.IntVar(&o.passes, "passes", 120, "passes held before the camera in each stream")
	if err := fs.Parse(args); err != nil {
		return err
	}
	var rows []row
	for _, s := range allSeries(o.repeats) {
		if !strings.HasPrefix(s.name, o.only) {
			continue
		}
		t, err := measure(ctx, s, o, stderr)
		if err != nil {
			return err
		}
		t.print(stdout)
		rows = append(rows, t.rows()...)
	}
	more, err := held(ctx, o, stdout, stderr)
	if err != nil {
		return err
	}
	return conclude(stdout, o.out, "barcode", append(rows, more...), o.conditions == "" && o.only == "")
}

// specimen is a symbol to be shown.
type specimen struct {
	payload []byte
	code    frames.Code
}

// specimens are payloads as a pass has them: random bytes in QR, and the text
// form of a seal where binary is not portable between encoders.
func specimens(symbology uint32, seed uint64) ([]specimen, error) {
	r := rand.New(rand.NewPCG(seed, 21))
	sizes := map[uint32][]int{onQR: {120, 184, 230, 300}, onDataMatrix: {60, 120, 180}, onAztec: {60, 120, 180}}[symbology]
	var list []specimen
	for _, n := range sizes {
		payload := make([]byte, n)
		for i := range payload {
			payload[i] = byte(r.Uint32())
			if symbology != onQR {
				payload[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[payload[i]%32]
			}
		}
		var code bar.Barcode
		var err error
		switch symbology {
		case onQR:
			code, err = qr.Encode(string(payload), qr.M, qr.Unicode)
		case onDataMatrix:
			code, err = datamatrix.Encode(string(payload))
		default:
			code, err = aztec.Encode(payload, 23, 0)
		}
		if err != nil {
			return nil, fmt.Errorf("encode specimen: %w", err)
		}
		c := frames.Code{W: code.Bounds().Dx(), H: code.Bounds().Dy()}
		for y := range c.H {
			for x := range c.W {
				c.Dark = append(c.Dark, code.At(x, y) == color.Black)
			}
		}
		list = append(list, specimen{payload, c})
	}
	return list, nil
}

// shot is one scene's frames.
type shot struct {
	condition int
	payload   []byte
	pix       [][]byte
}

// shots draws every scene of a series, one ahead of who reads them.
func shots(ctx context.Context, s series, o barcodeOptions, conditions []frames.Condition, list []specimen) <-chan shot {
	out := make(chan shot)
	go func() {
		defer close(out)
		p := frames.Painter{W: s.w, H: s.h}
		for i, c := range conditions {
			for j, sp := range list {
				for k := range s.scenes(c) {
					seed := o.seed<<32 + uint64(i)<<20 + uint64(j)<<10 + uint64(k)
					r := rand.New(rand.NewPCG(seed, uint64(s.w*8+s.length)))
					scene := c.Scene(s.base, r)
					shot := shot{condition: i, payload: sp.payload}
					for range s.length {
						shot.pix = append(shot.pix, p.Draw(sp.code, scene, seed, r))
						scene = scene.Follow(r)
					}
					select {
					case out <- shot:
					case <-ctx.Done():
						return
					}
				}
			}
		}
	}()
	return out
}

func chosen(names string) []frames.Condition {
	list := frames.Conditions()
	if names == "" {
		return list
	}
	return slices.DeleteFunc(list, func(c frames.Condition) bool {
		return !slices.Contains(strings.Split(names, ","), c.Name)
	})
}

// measure gives every frame of a series to each reader in turn.
func measure(ctx context.Context, s series, o barcodeOptions, progress io.Writer) (t *table, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	readers := make([]*reader, 0, 1+len(s.peers))
	defer func() {
		for _, r := range readers {
			_ = r.close() // what it had to say has been read
		}
	}()
	ours, err := startReader(ctx, "ours", self, "barcode-reader")
	if err != nil {
		return nil, err
	}
	readers = append(readers, ours)
	for _, name := range s.peers {
		peer, err := startReader(ctx, name, filepath.Join(o.peers, name))
		if err != nil {
			return nil, err
		}
		readers = append(readers, peer)
	}
	list, err := specimens(s.symbology, o.seed)
	if err != nil {
		return nil, err
	}
	conditions := chosen(o.conditions)
	t = newTable(s, conditions)
	last := -1
	for shot := range shots(ctx, s, o, conditions, list) {
		if shot.condition != last {
			last = shot.condition
			fmt.Fprintf(progress, "bench: %s, condition %d of %d\n", s.name, last+1, len(conditions))
		}
		for i, r := range readers {
			if err := t.give(i, r, shot); err != nil {
				return nil, err
			}
		}
	}
	return t, ctx.Err()
}

// give shows a scene to a reader: it is read when one of its frames is.
func (t *table) give(i int, r *reader, s shot) error {
	read := false
	for n, pix := range s.pix {
		a, err := r.read(frame{t.w, t.h, t.symbology, t.budget, n == 0, pix})
		if err != nil {
			return err
		}
		t.times[i] = append(t.times[i], float64(a.cpu.Microseconds())/1000)
		for _, p := range a.payloads {
			if bytes.Equal(p, s.payload) {
				read = true
			} else {
				t.wrong[i]++
			}
		}
	}
	t.count(i, s.condition, read)
	return nil
}
