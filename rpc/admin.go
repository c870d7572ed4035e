package rpc

import "sort"

// adminMethods are for the operator: they need his token.
func (s *Server) adminMethods(t methodTable) {
	admin := func(m *method) *method { m.admin = true; return m }
	admin(t.read("admin_nodeInfo", 0, s.adminNodeInfo)).doc("What this node is and how many connections it has", "rpc.TestOnlyTheOperatorReachesAdminMethods")
	admin(t.read("admin_rpcLimits", 0, s.adminLimits)).doc("The limits of this server as they are set", "rpc.TestOnlyTheOperatorReachesAdminMethods")
	admin(t.read("admin_reloadKeys", 0, s.adminReloadKeys)).doc("Reads the file of API keys again and returns how many there are", "rpc.TestKeysAreReadAgain")
}

func (s *Server) adminNodeInfo(*call, *args) (rawJSON, error) {
	s.mu.Lock()
	conns, sockets := len(s.links), len(s.conns)
	s.mu.Unlock()
	w := newWriter(256)
	w.open('{')
	w.key("name").text(s.opts.ClientVersion)
	w.key("chainId").qty(s.backend.Config().ChainID)
	w.key("head").qty(s.backend.Head().Number.Uint64())
	w.key("connections").int(conns)
	w.key("webSockets").int(sockets)
	w.shut('}')
	return w.b, nil
}

// adminLimits is admin_rpcLimits: sizes in bytes, times in milliseconds.
func (s *Server) adminLimits(*call, *args) (rawJSON, error) {
	o := &s.opts
	limits := map[string]int{
		"maxBodyBytes": int(o.MaxBodyBytes), "maxBatchItems": o.MaxBatchItems, "maxResponseBytes": o.MaxResponseBytes,
		"maxJsonDepth": o.MaxJSONDepth, "maxHeadBytes": maxHeadBytes, "maxHeadFields": maxHeadFields,
		"maxConnections": o.MaxConnections, "maxConnectionsPerIp": o.MaxConnectionsPerIP,
		"idleTimeoutMillis": int(o.IdleTimeout.Milliseconds()), "readHeaderTimeoutMillis": int(o.ReadHeaderTimeout.Milliseconds()),
		"readTimeoutMillis": int(o.ReadTimeout.Milliseconds()), "requestTimeoutMillis": int(o.RequestTimeout.Milliseconds()),
		"writeTimeoutMillis": int(o.WriteTimeout.Milliseconds()), "maxInFlight": o.MaxInFlight,
		"maxSubscriptions": o.MaxSubscriptions, "maxSubscribed": o.MaxSubscribed, "maxQueueMessages": o.MaxQueueMessages, "maxQueueBytes": o.MaxQueueBytes,
		"maxFilters": o.MaxFilters, "maxLogBlocks": int(o.MaxLogBlocks), "maxLogResults": o.MaxLogResults,
		"callGasCap": int(o.CallGasCap), "maxCalls": o.MaxCalls, "maxCallQueue": o.MaxCallQueue,
		"callTimeoutMillis": int(o.CallTimeout.Milliseconds()), "maxSlow": o.MaxSlow, "maxSlowQueue": o.MaxSlowQueue,
		"traceTimeoutMillis": int(o.TraceTimeout.Milliseconds()), "rate": o.Rate, "rateBurst": o.RateBurst,
		"costRead": o.Costs.Read, "costSend": o.Costs.Send, "costCall": o.Costs.Call, "costSlow": o.Costs.Slow,
	}
	names := make([]string, 0, len(limits))
	for name := range limits {
		names = append(names, name)
	}
	sort.Strings(names)
	w := newWriter(1024)
	w.open('{')
	for _, name := range names {
		w.key(name).int(limits[name])
	}
	w.shut('}')
	return w.b, nil
}

func (s *Server) adminReloadKeys(*call, *args) (rawJSON, error) {
	if s.opts.Keys == nil {
		return nil, Errorf(CodeServer, "the node has no file of API keys: start it with --rpc-keys")
	}
	n, err := s.opts.Keys.Reload()
	if err != nil {
		return nil, err
	}
	return quantity(uint64(n)), nil
}
