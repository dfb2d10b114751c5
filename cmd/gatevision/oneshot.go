package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"bordergate/biometrics/vision"
)

// picture is a line of output: one file.
type picture struct {
	File   string `json:"file"`
	Error  string `json:"error,omitempty"`
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"`
	// Found is the number of faces, Faces those analysed, best detected first; Main is the index in Faces of the one chosen.
	Found  int        `json:"found"`
	Second float64    `json:"second"`
	Main   int        `json:"main"`
	Faces  []faceLine `json:"faces"`
	Millis millis     `json:"millis"`
}

// faceLine is one face. The embedding is the recogniser's float32 values, little-endian, in base64.
type faceLine struct {
	Box       vision.Box      `json:"box"`
	Points    [5]vision.Point `json:"points"`
	Quality   vision.Quality  `json:"quality"`
	Liveness  *vision.Live    `json:"liveness,omitempty"`
	Embedding string          `json:"embedding_base64,omitempty"`
}

// millis are the times of the stages, for the last face analysed.
type millis struct {
	Detect   float64 `json:"detect"`
	Landmark float64 `json:"landmark"`
	Align    float64 `json:"align"`
	Feature  float64 `json:"feature"`
	Liveness float64 `json:"liveness"`
	Lines    float64 `json:"lines"`
}

func newMillis(t vision.Timing) millis {
	return millis{
		Detect: ms(t.Detect), Landmark: ms(t.Landmark), Align: ms(t.Align), Feature: ms(t.Feature), Liveness: ms(t.Liveness), Lines: ms(t.Lines),
	}
}

func ms(d interface{ Microseconds() int64 }) float64 { return float64(d.Microseconds()) / 1000 }

// selection says which faces of a picture are analysed, and how far.
type selection struct {
	all, live bool
	pick      string
}

// runImage is "gatevision image".
func runImage(ctx context.Context, args []string, out, errOut io.Writer) int {
	fs := flag.NewFlagSet("gatevision image", flag.ContinueOnError)
	fs.SetOutput(errOut)
	var m modelFlags
	m.register(fs)
	fs.Bool("json", true, "print JSON lines (always so)")
	pick := fs.String("pick", "largest", "the face that is the main one: largest or centre")
	if err := fs.Parse(args); err != nil {
		return exitUnable
	}
	if fs.NArg() == 0 {
		fmt.Fprintln(errOut, "gatevision image: no file given")
		return exitUnable
	}
	files := func(yield func(string, string) bool) {
		for _, f := range fs.Args() {
			if !yield(f, f) {
				return
			}
		}
	}
	return runAll(ctx, m, selection{all: true, live: true, pick: *pick}, files, out, errOut)
}

// runEmbedList is "gatevision embed-list".
func runEmbedList(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	fs := flag.NewFlagSet("gatevision embed-list", flag.ContinueOnError)
	fs.SetOutput(errOut)
	var m modelFlags
	m.register(fs)
	root := fs.String("root", "", "folder the listed names are relative to")
	list := fs.String("list", "", "file with a name a line; standard input when empty")
	pick := fs.String("pick", "centre", "the face taken: largest or centre")
	live := fs.Bool("liveness", false, "score liveness too")
	if err := fs.Parse(args); err != nil {
		return exitUnable
	}
	if *list != "" {
		f, err := os.Open(*list)
		if err != nil {
			fmt.Fprintf(errOut, "gatevision embed-list: %v\n", err)
			return exitUnable
		}
		defer f.Close()
		in = f
	}
	sc := bufio.NewScanner(in)
	names := func(yield func(string, string) bool) {
		for sc.Scan() {
			if name := strings.TrimSpace(sc.Text()); name != "" && !yield(name, filepath.Join(*root, name)) {
				return
			}
		}
	}
	code := runAll(ctx, m, selection{live: *live, pick: *pick}, names, out, errOut)
	if err := sc.Err(); err != nil {
		fmt.Fprintf(errOut, "gatevision embed-list: %v\n", err)
		return exitUnable
	}
	return code
}

// runAll works on files one after the other and prints each as soon as it is done.
func runAll(ctx context.Context, m modelFlags, sel selection, files func(func(name, path string) bool), out, errOut io.Writer) int {
	if sel.pick != "largest" && sel.pick != "centre" {
		fmt.Fprintf(errOut, "gatevision: --pick %q: largest or centre\n", sel.pick)
		return exitUnable
	}
	pipe, err := m.open()
	if err != nil {
		fmt.Fprintf(errOut, "gatevision: %v\n", err)
		return exitUnable
	}
	defer pipe.Close()
	enc, code := json.NewEncoder(out), exitDone
	for name, path := range files {
		if ctx.Err() != nil {
			return exitUnable
		}
		line, err := one(pipe, sel, path)
		line.File = name
		switch {
		case err != nil:
			line.Error, code = err.Error(), exitUnable
		case line.Found == 0 && code == exitDone:
			code = exitNoFace
		}
		if err := enc.Encode(line); err != nil {
			fmt.Fprintf(errOut, "gatevision: %v\n", err)
			return exitUnable
		}
	}
	return code
}

// one analyses one file.
func one(pipe *vision.Pipeline, sel selection, path string) (picture, error) {
	line := picture{Main: -1, Faces: []faceLine{}}
	f, err := vision.ReadImage(path)
	if err != nil {
		return line, err
	}
	defer f.Close()
	line.Width, line.Height = f.Size()
	found, err := pipe.Detect(f)
	if err != nil {
		return line, err
	}
	line.Found = len(found)
	main := vision.Largest(found)
	if sel.pick == "centre" {
		main = vision.NearestCentre(found, line.Width, line.Height)
	}
	line.Second = vision.Second(found, main)
	want := vision.Want{Embed: vision.Always, Live: vision.Never}
	if sel.live {
		want.Live = vision.Always
	}
	for i, d := range found {
		if i != main && !sel.all {
			continue
		}
		face, err := pipe.Analyse(f, d, want)
		face.Quality.Faces, face.Quality.Second = len(found), vision.Second(found, i)
		if errors.Is(err, vision.ErrImage) {
			// A face at the very edge cannot be cut out; the others still count.
			continue
		}
		if err != nil {
			return line, err
		}
		if i == main {
			line.Main, line.Millis = len(line.Faces), newMillis(pipe.Timing())
		}
		line.Faces = append(line.Faces, faceLine{
			Box: face.Box, Points: face.Points, Quality: face.Quality, Liveness: face.Live, Embedding: encode(face.Raw),
		})
	}
	return line, nil
}

func encode(v []float32) string {
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return base64.StdEncoding.EncodeToString(b)
}
