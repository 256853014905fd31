namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>
/// Walks the blocks of keys that some query of [firstQuery, lastQuery] sees: those of the sinks, then those of the window (or of
/// everything up to the last query). Blocks wholly outside are never visited, so windows cost linear time.
/// </summary>
internal struct KeyBlocks
{
    private readonly int _blockKeys;
    private readonly int _sinkEnd;
    private readonly int _start;
    private readonly int _end;
    private readonly int _maskWindow;
    private int _next;

    /// <param name="window">0 for none.</param>
    public KeyBlocks(int firstQuery, int lastQuery, int keys, bool causal, int window, int sinks, int blockKeys)
    {
        _blockKeys = blockKeys;
        _end = causal ? lastQuery + 1 : keys;
        _maskWindow = causal ? window : 0;
        int low = _maskWindow > 0 ? Math.Max(0, firstQuery - window + 1) : 0;
        _sinkEnd = _maskWindow > 0 ? Math.Min(sinks, _end) : 0;
        _start = Math.Max(low, _sinkEnd);
        _next = 0;
        First = 0;
        Count = 0;
        Window = 0;
    }

    /// <summary>First key of the block.</summary>
    public int First { get; private set; }

    public int Count { get; private set; }

    /// <summary>Window to mask this block with; 0 in blocks of sinks.</summary>
    public int Window { get; private set; }

    /// <summary>Keys before this one are sinks, seen by all.</summary>
    public readonly int SinkEnd => _sinkEnd;

    /// <summary>First key behind the sinks that is seen.</summary>
    public readonly int Start => _start;

    public readonly int End => _end;

    /// <summary>Keys that are seen, over all queries.</summary>
    public readonly int Total => _sinkEnd + Math.Max(0, _end - _start);

    /// <summary>Number of seen keys before a seen one.</summary>
    public readonly int IndexOf(int key) => key < _sinkEnd ? key : _sinkEnd + (key - _start);

    /// <summary>The seen key with <paramref name="index"/> seen ones before it.</summary>
    public readonly int KeyAt(int index) => index < _sinkEnd ? index : index - _sinkEnd + _start;

    public bool Next()
    {
        if (_next < _sinkEnd)
        {
            First = _next;
            Count = Math.Min(_blockKeys, _sinkEnd - _next);
            Window = 0;
            _next += Count;
            return true;
        }

        First = Math.Max(_next, _start);
        Count = Math.Min(_blockKeys, _end - First);
        Window = _maskWindow;
        _next = First + Count;
        return Count > 0;
    }
}
