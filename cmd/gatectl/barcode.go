package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/draw"
	_ "image/jpeg" // the decoders that image files are read with
	_ "image/png"
	"io"
	"os"
	"time"

	"bordergate/barcode/symbol"
)

func barcodeCommands() []command {
	return []command{{
		words:   "barcode read",
		summary: "read the barcodes in image files: --json FILE...",
		run:     barcodeRead,
	}}
}

// fileBudget is far more than a frame gets: nobody stands before a file. It
// only bounds a file made to keep us busy, and must be enough on a machine that
// has other work.
const fileBudget = 15 * time.Second

type foundSymbol struct {
	Symbology string `json:"symbology"`
	Payload   []byte `json:"payload_base64"`
}

type barcodeLine struct {
	File   string        `json:"file"`
	Found  []foundSymbol `json:"found"`
	Millis float64       `json:"millis"`
}

func barcodeRead(ctx context.Context, e env, args []string) int {
	const words = "barcode read"
	fs := newFlags(e, words)
	asJSON := fs.Bool("json", false, "a JSON line per image")
	files, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(files) == 0 {
		return unable(e, words, errors.New("no image file named"))
	}
	status = exitDone
	for _, file := range files {
		if ctx.Err() != nil {
			return unable(e, words, ctx.Err())
		}
		line := barcodeLine{File: file, Found: []foundSymbol{}}
		frame, err := loadLuma(file)
		if err != nil {
			fmt.Fprintf(e.Err, "gatectl %s: %v\n", words, err)
			status = exitUnable
		} else {
			begin := time.Now()
			for _, s := range symbol.NewReader().Read(frame, fileBudget) {
				line.Found = append(line.Found, foundSymbol{s.Symbology, s.Payload})
			}
			line.Millis = float64(time.Since(begin).Microseconds()) / 1000
		}
		if len(line.Found) == 0 {
			status = max(status, exitNegative)
		}
		if err := printSymbols(e.Out, line, *asJSON); err != nil {
			return unable(e, words, err)
		}
	}
	return status
}

func printSymbols(w io.Writer, line barcodeLine, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(line)
	}
	if len(line.Found) == 0 {
		_, err := fmt.Fprintf(w, "%s: nothing found\n", line.File)
		return err
	}
	for _, s := range line.Found {
		if _, err := fmt.Fprintf(w, "%s: %s %s\n", line.File, s.Symbology, base64.StdEncoding.EncodeToString(s.Payload)); err != nil {
			return err
		}
	}
	return nil
}

// maxImageFile bounds what is read of an image file, in bytes.
const maxImageFile = 64 << 20

// loadLuma reads a PNG or JPEG file as grey. Its size is checked before its
// pixels are decoded.
func loadLuma(file string) (symbol.Luma, error) {
	f, err := os.Open(file)
	if err != nil {
		return symbol.Luma{}, fmt.Errorf("read image: %w", err)
	}
	defer f.Close()
	config, _, err := image.DecodeConfig(io.LimitReader(f, maxImageFile))
	if err != nil {
		return symbol.Luma{}, fmt.Errorf("read image %s: %w", file, err)
	}
	if config.Width > symbol.MaxSide || config.Height > symbol.MaxSide || config.Width*config.Height > symbol.MaxPixels {
		return symbol.Luma{}, fmt.Errorf("read image %s: %w", file, symbol.ErrFrame)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return symbol.Luma{}, fmt.Errorf("read image: %w", err)
	}
	img, _, err := image.Decode(io.LimitReader(f, maxImageFile))
	if err != nil {
		return symbol.Luma{}, fmt.Errorf("read image %s: %w", file, err)
	}
	l := toLuma(img)
	if err := l.Check(); err != nil {
		return symbol.Luma{}, fmt.Errorf("read image %s: %w", file, err)
	}
	return l, nil
}

// toLuma takes the grey channel where the image has one. What is transparent
// is paper.
func toLuma(img image.Image) symbol.Luma {
	b := img.Bounds()
	if y, ok := img.(*image.YCbCr); ok {
		return symbol.Luma{Pix: y.Y[y.YOffset(b.Min.X, b.Min.Y):], Stride: y.YStride, W: b.Dx(), H: b.Dy()}
	}
	g := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(g, g.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(g, g.Rect, img, b.Min, draw.Over)
	return symbol.Luma{Pix: g.Pix, Stride: g.Stride, W: b.Dx(), H: b.Dy()}
}
