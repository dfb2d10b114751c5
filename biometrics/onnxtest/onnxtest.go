// Package onnxtest writes a small network for tests, so that another recogniser than the shipped one can be tried without any model
// file. It recognises nobody.
package onnxtest

import (
	"encoding/binary"
	"slices"
)

// Values is the number of values of either output.
func Values(channels, cells int) int { return channels * cells * cells }

// Outputs of the network: Mean holds the mean of every cell of every channel, channel by channel; Last the same without what is
// below zero.
const (
	Mean = "mean"
	Last = "last"
)

// Pool returns an ONNX file of a network whose input is a picture of so many channels, with so many square cells of so many pixels to
// each side.
func Pool(channels, cells, pixels int) []byte {
	side := int64(cells * pixels)
	square := []int64{int64(pixels), int64(pixels)}
	graph := slices.Concat(
		field(1, node("AveragePool", "data", Mean, ints("kernel_shape", square), ints("strides", square))),
		field(1, node("Relu", Mean, Last)),
		field(2, []byte("pool")),
		field(11, tensor("data", 1, int64(channels), side, side)),
		field(12, tensor(Mean, 1, int64(channels), int64(cells), int64(cells))),
		field(12, tensor(Last, 1, int64(channels), int64(cells), int64(cells))),
	)
	return slices.Concat(number(1, 7), field(7, graph), field(8, number(2, 11)))
}

func node(op, in, out string, attributes ...[]byte) []byte {
	b := slices.Concat(field(1, []byte(in)), field(2, []byte(out)), field(4, []byte(op)))
	for _, a := range attributes {
		b = append(b, field(5, a)...)
	}
	return b
}

// ints is an attribute of whole numbers (type 7).
func ints(name string, values []int64) []byte {
	b := field(1, []byte(name))
	for _, v := range values {
		b = append(b, number(8, v)...)
	}
	return append(b, number(20, 7)...)
}

// tensor describes a tensor of float32 (type 1).
func tensor(name string, dims ...int64) []byte {
	var shape []byte
	for _, d := range dims {
		shape = append(shape, field(1, number(1, d))...)
	}
	return slices.Concat(field(1, []byte(name)), field(2, field(1, slices.Concat(number(1, 1), field(2, shape)))))
}

// field is a length-delimited field of a protocol buffer, number a varint.
func field(id int, b []byte) []byte {
	return append(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(id<<3|2)), uint64(len(b))), b...)
}

func number(id int, v int64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(id<<3)), uint64(v))
}
