using NanoFold.Kernels.Calls.Attention;

namespace NanoFold.Kernels.Cpu.Attention.Cached;

/// <summary>Blocks of visible positions that lie side by side in a cache: <see cref="KeyBlocks"/>, cut where the ring turns.</summary>
internal struct CacheBlocks(KeyBlocks keys, int capacity, int sinks, int firstIndex, int endIndex)
{
    private KeyBlocks _keys = keys;
    private int _at;
    private int _rest;

    /// <summary>Position of the block's first key.</summary>
    public int First { get; private set; }

    public int Count { get; private set; }

    /// <summary>Slot of the block's first key.</summary>
    public int Slot { get; private set; }

    /// <summary>Number of visible keys before the block's first.</summary>
    public int Index { get; private set; }

    /// <summary>See <see cref="KeyBlocks.RuleFrom"/>.</summary>
    public readonly VisibleRule RuleFrom(int origin) => _keys.RuleFrom(origin);

    public bool Next()
    {
        while (true)
        {
            if (_rest == 0)
            {
                if (!_keys.Next())
                {
                    return false;
                }

                _at = _keys.First;
                _rest = _keys.Count;
            }

            int index = _keys.IndexOf(_at);
            if (index >= endIndex)
            {
                return false;
            }

            int slot = _at < capacity ? _at : sinks + (_at - sinks) % (capacity - sinks);
            int run = Math.Min(Math.Min(_rest, capacity - slot), endIndex - index);
            int skip = Math.Min(run, Math.Max(0, firstIndex - index));
            First = _at + skip;
            Slot = slot + skip;
            Index = index + skip;
            Count = run - skip;
            _at += run;
            _rest -= run;
            if (Count > 0)
            {
                return true;
            }
        }
    }
}
