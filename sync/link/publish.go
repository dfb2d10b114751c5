package link

import (
	"context"
	"fmt"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// Send hands a message to the connection and returns when it was written. It
// promises nothing about delivery.
func (s *Session) Send(topic string, payload []byte, retained bool) error {
	_, err := s.send(topic, payload, retained, qos)
	return err
}

func (s *Session) send(topic string, payload []byte, retained bool, qos byte) (mqtt.Token, error) {
	c := s.current()
	if c == nil {
		return nil, fmt.Errorf("publish: %w", ErrOffline)
	}
	tok := c.client.Publish(topic, qos, retained, payload)
	select {
	case <-tok.Done():
		if err := tok.Error(); err != nil {
			return tok, fmt.Errorf("publish: %w", err)
		}
	default:
	}
	return tok, nil
}

// Publish sends a message and waits for the broker's acknowledgement, the
// connection's loss or ctx. Nil means that the broker took it, no more.
func (s *Session) Publish(ctx context.Context, topic string, payload []byte, retained bool) error {
	return s.await(ctx, topic, payload, retained, qos)
}

// Offer sends a message at QoS 0 and waits until it was written: a broker need
// not store what its reader asks for again. Nil promises nothing.
func (s *Session) Offer(ctx context.Context, topic string, payload []byte) error {
	return s.await(ctx, topic, payload, false, 0)
}

func (s *Session) await(ctx context.Context, topic string, payload []byte, retained bool, qos byte) error {
	tok, err := s.send(topic, payload, retained, qos)
	if err != nil {
		return err
	}
	select {
	case <-tok.Done(): // also on loss: a clean session ends open tokens with an error
	case <-ctx.Done():
		return fmt.Errorf("publish: %w", ctx.Err())
	}
	if err := tok.Error(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// Drop ends the present connection, so that everything starts again from the
// cursors.
func (s *Session) Drop() {
	if c := s.current(); c != nil {
		c.close()
	}
}
