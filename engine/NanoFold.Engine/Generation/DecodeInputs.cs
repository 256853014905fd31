using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Generation;

/// <summary>What a run of a <see cref="Decoder"/> reads, on the host and on the device: tokens and their positions [B, T], first positions, counts, places of the last tokens and lengths of the texts [B].</summary>
internal sealed class DecodeInputs : IDisposable
{
    // What there is of each row.
    private const int Positions = 0, Counts = 1, LastRows = 2, Lengths = 3, Kinds = 4;

    // Elements to whose multiples each begins.
    private const int Unit = 64;

    private readonly Backend _backend;
    private readonly DeviceBuffer _buffer;
    private readonly int _batch, _rowStride;
    private readonly long _tokenStride;
    private readonly int[] _tokens;
    private readonly int[] _positionIds;
    private readonly int[] _rows;

    public DecodeInputs(Backend backend, int batch, int largestChunk)
    {
        _backend = backend;
        _batch = batch;
        _tokens = new int[checked(batch * largestChunk)];
        _positionIds = new int[_tokens.Length];
        _rowStride = (batch + Unit - 1) / Unit * Unit;
        _tokenStride = ((long)_tokens.Length + Unit - 1) / Unit * Unit;
        _rows = new int[Kinds * _rowStride];
        _buffer = backend.Allocate(((2 * _tokenStride) + _rows.Length) * sizeof(int));
    }

    /// <summary>On the device.</summary>
    public long Bytes => _buffer.Bytes;

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

        Of(Positions)[row] = tokens.IsEmpty ? 0 : position;
        Of(Counts)[row] = tokens.Length;
        Of(LastRows)[row] = tokens.IsEmpty ? -1 : (row * chunk) + tokens.Length - 1;
        Of(Lengths)[row] = length;
    }

    public void Upload(int chunk)
    {
        _backend.Upload<int>(_tokens.AsSpan(0, _batch * chunk), OfTokens(0, chunk));
        _backend.Upload<int>(_positionIds.AsSpan(0, _batch * chunk), OfTokens(1, chunk));
        _backend.Upload<int>(_rows, new View(_buffer, 2 * _tokenStride, Layout.Of(_rows.Length), DType.Int32));
    }

    /// <summary>Records a chunk's run; returns the logits [B, 1, V] of each row's last new token.</summary>
    public Tensor RecordOn(Tape tape, Transformer model, DecodeCache cache, int chunk) => model.RecordDecode(
        tape,
        tokens: tape.External("tokens", OfTokens(0, chunk)),
        positions: tape.External("positions", OfRows(Positions)),
        positionIds: tape.External("position ids", OfTokens(1, chunk)),
        counts: tape.External("counts", OfRows(Counts)),
        cache,
        // A single token is the last one.
        rows: chunk == 1 ? default : tape.External("last rows", OfRows(LastRows)),
        lengths: tape.External("lengths", OfRows(Lengths)));

    public void Dispose() => _buffer.Dispose();

    private Span<int> Of(int kind) => _rows.AsSpan(kind * _rowStride, _batch);

    private View OfTokens(int index, int chunk) => new(_buffer, index * _tokenStride, Layout.Of(_batch, chunk), DType.Int32);

    private View OfRows(int kind) => new(_buffer, (2 * _tokenStride) + (kind * _rowStride), Layout.Of(_batch), DType.Int32);
}
