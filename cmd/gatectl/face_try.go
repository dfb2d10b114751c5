package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"bordergate/biometrics"
	"bordergate/cmd/gatectl/devices"
)

// faceTried is what a frame of the face camera shows. It holds no embedding and
// nothing of whose face it is.
type faceTried struct {
	Frame   devices.Frame      `json:"frame"`
	Faces   int                `json:"faces"`
	Usable  bool               `json:"usable"`
	Hint    string             `json:"hint,omitempty"`
	Quality biometrics.Quality `json:"quality"`
}

// runFaceTry ends with 1 where no usable face is in the frame.
func runFaceTry(ctx context.Context, e env, args []string) int {
	const words = "face try"
	fs, config, asJSON := deviceFlags(e, words)
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	cfg, err := alone(ctx, *config)
	if err = errors.Join(noMore(rest), err); err != nil {
		return unable(e, words, err)
	}
	var out faceTried
	if out.Frame, err = grabFrame(ctx, cfg, cfg.Cameras.Face); err != nil {
		return unable(e, words, err)
	}
	p, err := lookAtFrame(ctx, visionTool{program: cfg.Vision.Program, models: cfg.Models.Dir, manifest: cfg.Models.Manifest}, out.Frame.JPEG)
	if err != nil {
		return unable(e, words, err)
	}
	out.Faces, out.Quality = p.Found, p.quality()
	var hint biometrics.Hint
	out.Usable, hint = biometrics.ProbeRules().Judge(out.Quality)
	out.Hint = string(hint)
	if *asJSON {
		err = lineEncoder(e).Encode(out)
	} else {
		_, err = fmt.Fprintf(e.Out, "%d faces; usable %v %s\n%+v\n", out.Faces, out.Usable, out.Hint, out.Quality)
	}
	if err != nil {
		return unable(e, words, fmt.Errorf("write result: %w", err))
	}
	if !out.Usable {
		return exitNegative
	}
	return exitDone
}

// lookAtFrame has gatevision look at a picture, which is gone from the disk
// before the result is told.
func lookAtFrame(ctx context.Context, v visionTool, picture []byte) (p visionPicture, err error) {
	dir, err := os.MkdirTemp("", "gatectl-")
	if err != nil {
		return p, fmt.Errorf("keep frame: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if v.program, err = findVision(v.program); err != nil {
		return p, fmt.Errorf("find gatevision: %w", err)
	}
	file := filepath.Join(dir, "frame.jpg")
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		return p, fmt.Errorf("keep frame: %w", err)
	}
	list, err := v.images(ctx, []string{file})
	if err != nil {
		return p, err
	}
	return list[0], nil
}
