//go:build !cgo

package vision

import "context"

// Frame is a picture. Without cgo there is none.
type Frame struct{}

// ReadImage returns ErrNoVision.
func ReadImage(string) (*Frame, error) { return nil, ErrNoVision }

// DecodeImage returns ErrNoVision.
func DecodeImage([]byte) (*Frame, error) { return nil, ErrNoVision }

// RawFrame returns ErrNoVision.
func RawFrame(int, int, []byte) (*Frame, error) { return nil, ErrNoVision }

// At returns 0.
func (*Frame) At() int64 { return 0 }

// Size returns 0, 0.
func (*Frame) Size() (w, h int) { return 0, 0 }

// Luma returns nothing.
func (*Frame) Luma() ([]byte, error) { return nil, ErrNoVision }

// Number returns 0.
func (*Frame) Number() uint32 { return 0 }

// Digest returns 0, 0.
func (*Frame) Digest() (digest uint64, mean uint8) { return 0, 0 }

// JPEG returns ErrNoVision.
func (*Frame) JPEG(int) ([]byte, error) { return nil, ErrNoVision }

// Thumb returns ErrNoVision.
func (*Frame) Thumb(int, int) ([]byte, error) { return nil, ErrNoVision }

// Close does nothing.
func (*Frame) Close() {}

// Pipeline is a set of networks. Without cgo there is none.
type Pipeline struct{}

// OpenPipeline returns ErrNoVision.
func OpenPipeline([]Model, Options) (*Pipeline, error) { return nil, ErrNoVision }

// Close does nothing.
func (*Pipeline) Close() error { return nil }

// Detect returns ErrNoVision.
func (*Pipeline) Detect(*Frame) ([]Detection, error) { return nil, ErrNoVision }

// Analyse returns ErrNoVision.
func (*Pipeline) Analyse(*Frame, Detection, Want) (Face, error) { return Face{}, ErrNoVision }

// LearnEmpty returns ErrNoVision.
func (*Pipeline) LearnEmpty(*Frame) error { return ErrNoVision }

// Timing returns nothing.
func (*Pipeline) Timing() Timing { return Timing{} }

// Camera is a camera. Without cgo there is none.
type Camera struct{}

// NewCamera returns ErrNoVision.
func NewCamera(CameraOptions) (*Camera, error) { return nil, ErrNoVision }

// Serve returns ErrNoVision.
func (*Camera) Serve(context.Context) error { return ErrNoVision }

// Demand does nothing.
func (*Camera) Demand(bool) {}

// Next returns ErrNoVision.
func (*Camera) Next(context.Context) (*Frame, error) { return nil, ErrNoVision }

// Health returns a dead camera.
func (*Camera) Health() Health { return Health{Err: ErrNoVision.Error()} }

// SetThreads does nothing.
func SetThreads(int) {}
