using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Modules;

/// <summary>What a model's mixers remember while decoding: fixed capacity, contiguous per layer and slot; see <see cref="StateSlot"/>.</summary>
public sealed class DecodeCache : IDisposable
{
    private readonly Dictionary<(int Layer, string Name), View> _slots = [];
    private readonly string _prefix = "";
    private readonly List<DeviceBuffer> _buffers = [];
    private readonly List<View>[] _zeroAtBegin;
    private readonly List<(View View, int TokensPerEntry)> _pieces = [];
    private readonly Backend _backend;

    internal DecodeCache(Backend backend, IReadOnlyList<IEnumerable<StateSlot>> layers, int batch, int chunk)
    {
        _backend = backend;
        _zeroAtBegin = [.. Enumerable.Range(0, batch).Select(_ => new List<View>())];
        for (int layer = 0; layer < layers.Count; layer++)
        {
            foreach (StateSlot slot in layers[layer])
            {
                DeviceBuffer buffer = backend.Allocate(slot.Bytes);
                _buffers.Add(buffer);
                var view = new View(buffer, 0, slot.Layout, slot.Type);
                _slots.Add((layer, slot.Name), view);
                _pieces.Add((view, slot.TokensPerEntry));
                for (int row = 0; row < batch && slot.Start == StateStart.Zero; row++)
                {
                    _zeroAtBegin[row].Add(Row(view, row));
                }
            }
        }

        Batch = batch;
        Chunk = chunk;
    }

    // A part of another one, which owns the memory.
    private DecodeCache(DecodeCache whole, string prefix)
    {
        (_backend, _slots, _zeroAtBegin, _prefix) = (whole._backend, whole._slots, whole._zeroAtBegin, whole._prefix + prefix);
        (Batch, Chunk) = (whole.Batch, whole.Chunk);
    }

    // Some rows of another one, which owns the memory.
    private DecodeCache(DecodeCache whole, int first, int count)
    {
        (_backend, _prefix, Batch, Chunk) = (whole._backend, whole._prefix, count, whole.Chunk);
        _zeroAtBegin = whole._zeroAtBegin[first..(first + count)];
        foreach (((int Layer, string Name) slot, View view) in whole._slots)
        {
            _slots.Add(slot, view.With(view.Layout.Slice(0, first, count, out long offset), offset));
        }
    }

    public int Batch { get; }

    /// <summary>Most new tokens a row may bring at a time.</summary>
    public int Chunk { get; }

    public long Bytes => _buffers.Sum(b => b.Bytes);

    /// <summary>Sets what starts at zero to that, for a row whose next token is its first.</summary>
    public void Begin(int row)
    {
        foreach (View view in _zeroAtBegin[row])
        {
            _backend.Fill(view, 0);
        }
    }

    /// <summary>Copies what is remembered of a row of so many tokens into another one.</summary>
    internal void Copy(int from, int to, int tokens)
    {
        foreach ((View view, int tokensPerEntry) in _pieces)
        {
            View source = Row(view, from), target = Row(view, to);
            if (tokensPerEntry > 0)
            {
                int entries = (int)Math.Min(view.Layout[1], (tokens + tokensPerEntry - 1L) / tokensPerEntry);
                if (entries == 0)
                {
                    continue;
                }

                source = source.With(source.Layout.Slice(1, 0, entries, out _), 0);
                target = target.With(target.Layout.Slice(1, 0, entries, out _), 0);
            }

            _backend.Copy(source, target);
        }
    }

    private static View Row(View view, int row) => view.With(view.Layout.Slice(0, row, 1, out long offset), offset);

    public Tensor Use(Tape tape, int layer, string name) => tape.External($"cache.{layer}.{_prefix}{name}", _slots[(layer, _prefix + name)]);

    /// <summary>The slots whose names begin so, by the rest of their names; the memory stays this one's.</summary>
    internal DecodeCache In(string prefix) => new(this, prefix);

    /// <summary>Some of the rows, as a cache that others can be recorded with; the memory stays this one's.</summary>
    internal DecodeCache Rows(int first, int count) => new(this, first, count);

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers)
        {
            buffer.Dispose();
        }
    }
}
