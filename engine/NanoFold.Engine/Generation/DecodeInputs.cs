using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Generation;

/// <summary>What a run of a <see cref="Decoder"/> reads, on the host and on the device: tokens and their positions [B, T], first positions, counts, places of the last tokens and lengths of the texts [B].</summary>
internal sealed class DecodeInputs : IDisposable
{
    private readonly Backend _backend;
    private readonly DeviceBuffer _buffer;
    private readonly int _batch;
    private readonly int[] _tokens;
    private readonly int[] _positionIds;
    private readonly int[] _positions;
    private readonly int[] _counts;
    private readonly int[] _lastRows;
    private readonly int[] _lengths;

    public DecodeInputs(Backend backend, int batch, int largestChunk)
    {
        _backend = backend;
        _batch = batch;
        _tokens = new int[checked(batch * largestChunk)];
        _positionIds = new int[_tokens.Length];
        _positions = new int[batch];
        _counts = new int[batch];
        _lastRows = new int[batch];
        _lengths = new int[batch];
        _buffer = backend.Allocate(6 * Stride * sizeof(int));
    }

    /// <summary>On the device.</summary>
    public long Bytes => _buffer.Bytes;

    // Elements from one of the six to the next.
    private long Stride => ((long)_tokens.Length + 63) / 64 * 64;

    /// <summary>Sets a row: its new tokens, padded to the chunk, from a position on, of a text of <paramref name="length"/> as far as it is known. An idle row has none.</summary>
    public void Set(int row, int chunk, ReadOnlySpan<int> tokens, int position, int length)
    {
        Span<int> ids = _tokens.AsSpan(row * chunk, chunk), places = _positionIds.AsSpan(row * chunk, chunk);
        ids.Clear();
        places.Clear();
        tokens.CopyTo(ids);
        for (int t = 0; t < tokens.Length; t++)
        {
            places[t] = position + t;
        }

        _positions[row] = tokens.IsEmpty ? 0 : position;
        _counts[row] = tokens.Length;
        _lengths[row] = length;
        _lastRows[row] = tokens.IsEmpty ? -1 : (row * chunk) + tokens.Length - 1;
    }

    public void Upload(int chunk)
    {
        _backend.Upload<int>(_tokens.AsSpan(0, _batch * chunk), View(0, Layout.Of(_batch, chunk)));
        _backend.Upload<int>(_positionIds.AsSpan(0, _batch * chunk), View(1, Layout.Of(_batch, chunk)));
        _backend.Upload<int>(_positions, View(2, Layout.Of(_batch)));
        _backend.Upload<int>(_counts, View(3, Layout.Of(_batch)));
        _backend.Upload<int>(_lastRows, View(4, Layout.Of(_batch)));
        _backend.Upload<int>(_lengths, View(5, Layout.Of(_batch)));
    }

    /// <summary>Records a chunk's run; returns the logits [B, 1, V] of each row's last new token.</summary>
    public Tensor RecordOn(Tape tape, Transformer model, DecodeCache cache, int chunk) => model.RecordDecode(
        tape,
        tokens: tape.External("tokens", View(0, Layout.Of(_batch, chunk))),
        positions: tape.External("positions", View(2, Layout.Of(_batch))),
        positionIds: tape.External("position ids", View(1, Layout.Of(_batch, chunk))),
        counts: tape.External("counts", View(3, Layout.Of(_batch))),
        cache,
        // A single token is the last one.
        rows: chunk == 1 ? default : tape.External("last rows", View(4, Layout.Of(_batch))),
        lengths: tape.External("lengths", View(5, Layout.Of(_batch))));

    public void Dispose() => _buffer.Dispose();

    private View View(int index, in Layout layout) => new(_buffer, index * Stride, layout, DType.Int32);
}
