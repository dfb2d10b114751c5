package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
)

// Flags of a picture on the pipe for faces; pipe.h beside the peers tells them
// too.
const (
	faceCentre = 1 // the face nearest the middle, not the largest
	faceLive   = 2 // liveness too
)

// The stages that a reader of faces is timed by.
const (
	stageDetect = iota
	stageLandmarks
	stageEmbed
	stageLiveness
	stageFrame
	stages
)

func stageNames() [stages]string {
	return [stages]string{"detect", "landmarks", "align+embed", "liveness", "whole frame"}
}

// seen is what a reader of faces says of a picture.
type seen struct {
	Found  int        `json:"found"`
	Box    [4]float64 `json:"box"`
	Vector []float64  `json:"vector"`
	Live   [3]float64 `json:"live"`
	Micros struct {
		Detect    float64 `json:"detect"`
		Landmarks float64 `json:"landmarks"`
		Embed     float64 `json:"embed"`
		Liveness  float64 `json:"liveness"`
		Frame     float64 `json:"frame"`
	} `json:"micros"`
}

// millis are the times of the stages.
func (s seen) millis() [stages]float64 {
	m := s.Micros
	out := [stages]float64{m.Detect, m.Landmarks, m.Embed, m.Liveness, m.Frame}
	for i := range out {
		out[i] /= 1000
	}
	return out
}

// look gives a picture to a reader of faces.
func (r *reader) look(p picture, flags uint32) (seen, error) {
	line, err := r.ask([]uint32{uint32(p.w), uint32(p.h), flags, 0}, p.bgr)
	if err != nil {
		return seen{}, err
	}
	var s seen
	if err := json.Unmarshal([]byte(line), &s); err != nil {
		return seen{}, fmt.Errorf("hear of %s: %w", r.name, err)
	}
	if s.Found > 0 && len(s.Vector) == 0 || s.Found < 0 {
		s.Found = 0 // a face that cannot be cut out is none
	}
	return s, nil
}

// startOurs starts the gate's own code; its stages are timed inside.
func startOurs(ctx context.Context, o faceOptions, threads int) (*reader, error) {
	return startReader(ctx, "gatevision", filepath.Join(o.bin, "gatevision"),
		"raw", "--models", o.models, "--manifest", o.manifest, "--threads", strconv.Itoa(threads))
}

func startOpenCV(ctx context.Context, o faceOptions, threads int) (*reader, error) {
	return startReader(ctx, "OpenCV in C++", filepath.Join(o.peers, "opencv"), o.models, strconv.Itoa(threads))
}

// startFaceAPI starts the npm package in Node, with one of its detectors.
func startFaceAPI(ctx context.Context, o faceOptions, detector string) (*reader, error) {
	return startReader(ctx, "face-api "+detector, "node", filepath.Join(o.peers, "faceapi", "faceapi.js"), detector)
}

// closeAll ends readers whose last word has been heard.
func closeAll(list []*reader) {
	for _, r := range list {
		_ = r.close()
	}
}

// cosine of two vectors; -1 for what cannot be compared.
func cosine(a, b []float64) float64 {
	if len(a) != len(b) || len(a) == 0 {
		return -1
	}
	var dot, na, nb float64
	for i := range a {
		dot, na, nb = dot+a[i]*b[i], na+a[i]*a[i], nb+b[i]*b[i]
	}
	if na == 0 || nb == 0 {
		return -1
	}
	return dot / math.Sqrt(na*nb)
}

// nearness of two vectors whose Euclidean distance counts.
func nearness(a, b []float64) float64 {
	if len(a) != len(b) || len(a) == 0 {
		return math.Inf(-1)
	}
	var sum float64
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return -math.Sqrt(sum)
}

// errPeer is returned where a peer does other work than ours: then its times
// say nothing.
var errPeer = errors.New("the peer does not do the same work")
