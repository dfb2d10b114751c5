package vision

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"

	"bordergate/biometrics"
)

// Recogniser is how the feature model is fed and read: (pixel - Mean) * Scale of the face warped onto Template.
type Recogniser struct {
	// Width and Height are of the input in pixels, 8 to 1024.
	Width, Height int
	Scale         float64
	// Mean is in the model's order of colours.
	Mean [3]float64
	// SwapRB feeds RGB instead of BGR, Grey one channel instead of three.
	SwapRB, Grey bool
	// Output names the network's output; empty for its last.
	Output string
	// Dim is the number of values of the output.
	Dim int
	// Template is where left eye, right eye, nose tip, left and right corner of the mouth come to lie in the input.
	Template [5]Point
}

// check holds the description to what OpenCV can be given without harm, and its output to those of the network.
func (r *Recogniser) check(network []byte) error {
	if r == nil {
		return fmt.Errorf("%w: %s: the manifest does not say how it is fed", ErrModel, ModelFeature)
	}
	_, err := fit(r.Template, template)
	switch {
	case r.Width < 8 || r.Width > 1024 || r.Height < 8 || r.Height > 1024:
		return fmt.Errorf("%w: %s: input of %dx%d", ErrModel, ModelFeature, r.Width, r.Height)
	case r.Dim < biometrics.MinValues || r.Dim > biometrics.MaxValues:
		return fmt.Errorf("%w: %s: output of %d values, want %d to %d", ErrModel, ModelFeature, r.Dim, biometrics.MinValues, biometrics.MaxValues)
	case !(r.Scale > 0) || math.IsInf(r.Scale, 0) || !(r.Mean[0]+r.Mean[1]+r.Mean[2] >= 0):
		return fmt.Errorf("%w: %s: scale %v, mean %v", ErrModel, ModelFeature, r.Scale, r.Mean)
	case err != nil:
		return fmt.Errorf("%w: %s: its points for alignment are not a face", ErrModel, ModelFeature)
	}
	if r.Output == "" {
		return nil
	}
	// OpenCV ends the process at a name that the network does not have.
	names := outputs(network)
	if !slices.Contains(names, r.Output) {
		return fmt.Errorf("%w: %s: it has no output %q, its outputs are %.200q", ErrModel, ModelFeature, r.Output, names)
	}
	return nil
}

// Fields of ONNX's protocol buffers: the graph of a model, the outputs of a graph, the name of an output.
const (
	onnxGraph  = 7
	onnxOutput = 12
	onnxName   = 1
)

// outputs lists the names of a network's declared outputs; bytes that are no network have none.
func outputs(network []byte) (names []string) {
	for graph := range fields(network, onnxGraph) {
		for output := range fields(graph, onnxOutput) {
			for name := range fields(output, onnxName) {
				names = append(names, string(name))
			}
		}
	}
	return names
}

// fields goes through the length-delimited fields of one number in a protocol buffer, as far as it is one.
func fields(b []byte, number uint64) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			key, n := binary.Uvarint(b)
			if n <= 0 {
				return
			}
			b = b[n:]
			length, n := binary.Uvarint(b)
			switch key & 7 {
			case 0: // a varint, just read
				length = 0
			case 1: // eight bytes
				length, n = 0, 8
			case 5: // four bytes
				length, n = 0, 4
			case 2:
			default:
				return
			}
			if n <= 0 || n > len(b) || length > uint64(len(b)-n) {
				return
			}
			if key == number<<3|2 && !yield(b[n:n+int(length)]) {
				return
			}
			b = b[n+int(length):]
		}
	}
}
