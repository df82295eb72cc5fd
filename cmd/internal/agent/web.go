package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"orrery/cmd/internal/config"
	"orrery/cmd/internal/httpapi"
)

// web serves the API to clients.
type web struct {
	listener net.Listener
	server   *http.Server
	cert     atomic.Pointer[tls.Certificate] // nil: no TLS
}

func (m *member) openAPI(ctx context.Context) error {
	tokens, err := tokensOf(m.cfg)
	if err != nil {
		return err
	}
	if err := httpapi.CheckExposure(m.cfg.HTTPAddr, len(tokens), m.cfg.Insecure, m.cfg.AllowAnonymous); err != nil {
		return err
	}
	m.api = httpapi.New(backend{m}, httpapi.Options{
		Tokens: tokens, AllowAnonymous: m.cfg.AllowAnonymous || m.cfg.Insecure, OpenMetrics: len(tokens) == 0, CORSOrigins: m.cfg.CORSOrigins,
		MaxBody: int64(m.cfg.HTTPMaxBody), Rate: m.cfg.HTTPRate,
		Metrics: m.observer.Metrics.Handler(), Log: m.part("api"),
	})
	m.web = &web{server: httpapi.Server(m.api)}
	if err := m.web.loadCertificate(m.cfg); err != nil {
		return err
	}
	if m.web.listener, err = m.opts.Network.Listen(ctx, m.cfg.HTTPAddr); err != nil {
		return fmt.Errorf("http-addr: %w", err)
	}
	if m.web.cert.Load() != nil {
		m.web.listener = tls.NewListener(m.web.listener, &tls.Config{
			MinVersion:     tls.VersionTLS12,
			NextProtos:     []string{"h2", "http/1.1"},
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return m.web.cert.Load(), nil },
		})
	}
	m.closes(m.web.close)
	return nil
}

func tokensOf(c config.Config) ([]httpapi.Token, error) {
	lines, err := c.Tokens()
	if err != nil {
		return nil, err
	}
	tokens := make([]httpapi.Token, len(lines))
	for i, line := range lines {
		if tokens[i], err = httpapi.ParseToken(line); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

func (w *web) loadCertificate(c config.Config) error {
	if c.TLSHTTPCertFile == "" {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(c.TLSHTTPCertFile, c.TLSHTTPKeyFile)
	if err != nil {
		return fmt.Errorf("tls-http-cert-file, tls-http-key-file: %w", err)
	}
	w.cert.Store(&cert)
	return nil
}

func (w *web) start(failed func(error)) {
	go func() {
		if err := w.server.Serve(w.listener); !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("serve the API: %w", err))
		}
	}()
}

// close lets requests under way end, but not for long: streams would not.
func (w *web) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := w.server.Shutdown(ctx); err != nil {
		_ = w.server.Close()
	}
	_ = w.listener.Close() // Shutdown closes what was served
	return nil
}

// apiAddress is the API's URL.
func (m *member) apiAddress() string {
	scheme := "http://"
	if m.web.cert.Load() != nil {
		scheme = "https://"
	}
	return scheme + m.web.listener.Addr().String()
}
