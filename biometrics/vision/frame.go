//go:build cgo

package vision

import (
	"fmt"
	"hash/fnv"
	"image"
	"image/color"
	"os"

	"gocv.io/x/gocv"
)

// Frame is a BGR picture, owned by whoever holds it, to be closed once.
type Frame struct {
	mat    gocv.Mat
	at     int64
	number uint32
	digest uint64
	mean   uint8
	// put takes the Mat back instead of closing it.
	put func(gocv.Mat)
}

// ReadImage reads a picture file; its EXIF rotation is applied.
func ReadImage(path string) (*Frame, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read picture: %w", err)
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, fmt.Errorf("read picture: %w: not a file of at most %d bytes", ErrImage, maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read picture: %w", err)
	}
	return DecodeImage(b)
}

// DecodeImage decodes a JPEG or PNG file's bytes; 16 bits a colour become 8, CMYK and grey become BGR. What kind it is, that it is
// whole, and its size are checked before OpenCV sees it.
func DecodeImage(b []byte) (*Frame, error) {
	if err := checkFile(b); err != nil {
		return nil, fmt.Errorf("decode picture: %w", err)
	}
	m, err := gocv.IMDecode(b, gocv.IMReadColor)
	if err != nil {
		return nil, fmt.Errorf("decode picture: %w: %w", ErrImage, err)
	}
	f := &Frame{mat: m}
	if err := f.check(); err != nil {
		f.Close()
		return nil, fmt.Errorf("decode picture: %w", err)
	}
	return f, nil
}

// check stands before every way into OpenCV.
func (f *Frame) check() error {
	if f == nil || f.mat.Ptr() == nil || f.mat.Empty() {
		return fmt.Errorf("%w: empty", ErrImage)
	}
	if f.mat.Type() != gocv.MatTypeCV8UC3 {
		return fmt.Errorf("%w: pixels of type %v", ErrImage, f.mat.Type())
	}
	return checkSize(f.Size())
}

// At returns when the frame was taken, CLOCK_MONOTONIC nanoseconds; 0 for a file.
func (f *Frame) At() int64 { return f.at }

// Number counts a camera's frames from 1; 0 for a file.
func (f *Frame) Number() uint32 { return f.number }

// Digest tells one frame from another by some of their pixels, and gives the mean of these; both 0 for a file.
func (f *Frame) Digest() (digest uint64, mean uint8) { return f.digest, f.mean }

// digestRows is how many rows of a frame its digest is of.
const digestRows = 60

// sum makes the digest. A camera's noise changes it with every frame; only a frame that is the same again keeps it.
func (f *Frame) sum() {
	pix, err := f.mat.DataPtrUint8()
	w, h := f.Size()
	if err != nil || len(pix) < 3*w*h {
		return
	}
	sum, total, n := fnv.New64a(), 0, 0
	step := max(1, h/digestRows)
	for y := step / 2; y < h; y += step {
		row := pix[3*w*y : 3*w*(y+1)]
		_, _ = sum.Write(row) // never fails
		for x := 0; x < len(row); x += 16 {
			total, n = total+int(row[x]), n+1
		}
	}
	f.digest, f.mean = sum.Sum64(), uint8(total/n)
}

// Size returns width and height in pixels.
func (f *Frame) Size() (w, h int) { return f.mat.Cols(), f.mat.Rows() }

// Luma returns a copy as 8-bit grey, rows without gaps.
func (f *Frame) Luma() ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	grey := gocv.NewMat()
	defer grey.Close()
	gocv.CvtColor(f.mat, &grey, gocv.ColorBGRToGray)
	return grey.ToBytes(), nil
}

// darkMean is the mean below which a frame is nearly black.
const darkMean = 10

// JPEG encodes the frame at the best quality that fits into limit bytes, at half its size where it does not fit at all.
func (f *Frame) JPEG(limit int) ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("encode picture: %w", err)
	}
	for _, quality := range []int{90, 75, 50, 25} {
		out, err := encodeJPEG(f.mat, quality)
		if err != nil {
			return nil, err
		}
		if len(out) <= limit {
			return out, nil
		}
	}
	if f.mat.Cols() >= 2*minSide && f.mat.Rows() >= 2*minSide {
		half := gocv.NewMat()
		defer half.Close()
		gocv.Resize(f.mat, &half, image.Pt(f.mat.Cols()/2, f.mat.Rows()/2), 0, 0, gocv.InterpolationArea)
		if out, err := encodeJPEG(half, 50); err != nil || len(out) <= limit {
			return out, err
		}
	}
	return nil, fmt.Errorf("encode picture: %w: larger than %d bytes", ErrImage, limit)
}

// Thumb encodes the frame as a small JPEG of the given width, the height by its
// shape; a frame that is no wider keeps its size.
func (f *Frame) Thumb(width, limit int) ([]byte, error) {
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("encode picture: %w", err)
	}
	small := f.mat
	if w, h := f.Size(); w > width && h*width/w >= minSide {
		small = gocv.NewMat()
		defer small.Close()
		gocv.Resize(f.mat, &small, image.Pt(width, h*width/w), 0, 0, gocv.InterpolationLinear)
	}
	out, err := encodeJPEG(small, 70)
	if err == nil && len(out) > limit {
		err = fmt.Errorf("encode picture: %w: larger than %d bytes", ErrImage, limit)
	}
	return out, err
}

func encodeJPEG(m gocv.Mat, quality int) ([]byte, error) {
	buf, err := gocv.IMEncodeWithParams(gocv.JPEGFileExt, m, []int{gocv.IMWriteJpegQuality, quality})
	if err != nil {
		return nil, fmt.Errorf("encode picture: %w", err)
	}
	defer buf.Close()
	return append([]byte(nil), buf.GetBytes()...), nil
}

// Close gives the picture's memory back. A second call does nothing.
func (f *Frame) Close() {
	if f == nil || f.mat.Ptr() == nil {
		return
	}
	m := f.mat
	f.mat = gocv.Mat{}
	if f.put != nil {
		f.put(m)
		return
	}
	_ = m.Close()
}

// cut copies a rectangle that may reach over the frame's edge, filling what lies outside.
func cut(src gocv.Mat, r image.Rectangle, border gocv.BorderType) (gocv.Mat, error) {
	in := r.Intersect(image.Rect(0, 0, src.Cols(), src.Rows()))
	if in.Empty() || r.Dx() > maxSide || r.Dy() > maxSide {
		return gocv.Mat{}, fmt.Errorf("%w: face outside the picture", ErrImage)
	}
	part := src.Region(in)
	defer part.Close()
	out := gocv.NewMat()
	if in == r {
		part.CopyTo(&out)
		return out, nil
	}
	// Region keeps its neighbours; the border must be made of the cut-out alone, which a copy gives.
	whole := part.Clone()
	defer whole.Close()
	gocv.CopyMakeBorder(whole, &out, in.Min.Y-r.Min.Y, r.Max.Y-in.Max.Y, in.Min.X-r.Min.X, r.Max.X-in.Max.X, border, color.RGBA{})
	return out, nil
}
