using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Generation;

/// <summary>
/// Runs a model over a batch of rows with a cache: new tokens are read in chunks of a few fixed sizes, one plan each. Rows are independent:
/// each has its own length, and one without new tokens is idle. Where a row's context is full it goes on with the last half of it, read anew
/// from position 0; a model whose state serves a text of any length (<see cref="Transformer.SlidesOn"/>) goes on without reading anything again.
/// A run allocates nothing managed once its plan is there.
/// </summary>
public sealed class Decoder : IDisposable
{
    private static readonly int[] s_chunkSizes = [1, 8, 64];

    private readonly Transformer _model;
    private readonly DecodeCache _cache;
    private readonly PlanCache<int> _plans;
    private readonly Func<int, Plan> _record;
    private readonly DecodeInputs _inputs;
    private readonly Tensor[] _logits;
    private readonly int[] _sizes;
    private readonly DecodeRow[] _rows;
    private View _lastLogits;
    private TapSet? _taps;

    /// <param name="model">Its parameters are in float32, and so is decoding, whatever the precision of training. What the rows remember is lost when its parameters change: begin them again.</param>
    /// <param name="batch">B, the number of rows.</param>
    /// <param name="arena">Memory shared with what does not run while decoding; null for its own.</param>
    public Decoder(Transformer model, int batch, SharedArena? arena = null)
    {
        if (model.Store.Type != DType.Float32)
        {
            throw new ArgumentException($"decoder: the model is in {model.Store.Type}; expected {DType.Float32}");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        _model = model;
        ModelConfig config = model.Config;
        _sizes = SizesFor(config);
        _logits = new Tensor[_sizes.Length];
        _rows = [.. Enumerable.Range(0, batch).Select(_ => new DecodeRow(config.Context, model.SlidesOn))];
        _cache = model.NewCache(batch, _sizes[^1]);
        _inputs = new DecodeInputs(model.Backend, batch, _sizes[^1]);
        _plans = new PlanCache<int>(model.Backend, arena: arena);
        _record = Record;

        // In the end every row brings single tokens.
        Prepare();
    }

    /// <summary>Tokens of a row that one run reads, from the smallest.</summary>
    internal static int[] SizesFor(ModelConfig config) => [.. s_chunkSizes.Select(size => Math.Min(size, config.Context)).Distinct()];

    public int Batch => _rows.Length;

    /// <summary>
    /// Readers and editors of every run; setting it records the runs again. A row remembers what was edited while it was read: begin it again.
    /// Readers see the tokens of a run, [B, chunk, ..], padded ones among them.
    /// </summary>
    public TapSet? Taps
    {
        get => _taps;
        set
        {
            _taps = value;
            _plans.Clear();
        }
    }

    /// <summary>Records the runs of single tokens if they are not recorded yet: what is wrong with taps is found here.</summary>
    internal void Prepare() => _plans.Get(0, _record);

    /// <summary>Bytes of the caches of all layers.</summary>
    public long CacheBytes => _cache.Bytes;

    /// <summary>Bytes of the arena that the largest run needs, and of the device besides.</summary>
    internal (long ArenaBytes, long OtherBytes) Needs() =>
        (Enumerable.Range(0, _sizes.Length).Max(size => _plans.Get(size, _record).ArenaBytes), _cache.Bytes + _inputs.Bytes);

    /// <summary>Tokens of a row that one run reads, from the smallest.</summary>
    public IReadOnlyList<int> ChunkSizes => _sizes;

    /// <summary>Forgets what a row was and gives it tokens to read; of more than the context's length the kept and the last ones count.</summary>
    /// <param name="row">Index of the row.</param>
    /// <param name="tokens">What it begins with.</param>
    /// <param name="keep">First tokens that stay wherever others are dropped, at most one less than the context.</param>
    /// <returns>Tokens, after those to be kept, that were dropped.</returns>
    public int Begin(int row, ReadOnlySpan<int> tokens, int keep = 0)
    {
        foreach (int token in tokens)
        {
            CheckToken(token);
        }

        return _rows[row].Begin(tokens, keep);
    }

    /// <summary>Gives a row one token more to read.</summary>
    public void Append(int row, int token)
    {
        CheckToken(token);
        _rows[row].Append(token);
    }

    /// <summary>Leaves a row idle until it begins again.</summary>
    public void End(int row) => _rows[row].Begin([], 0);

    /// <summary>Whether the last run read a row's last token, so that its next one can be drawn.</summary>
    public bool HasLogits(int row) => _rows[row].IsRead && _rows[row].Count > 0;

    /// <summary>Runs one chunk.</summary>
    /// <returns>The tokens read, of all rows; 0 where there is nothing to read.</returns>
    public int Run()
    {
        int size = ChooseSize();
        if (size < 0)
        {
            return 0;
        }

        int chunk = _sizes[size], read = 0;
        for (int row = 0; row < _rows.Length; row++)
        {
            bool begins = _rows[row].IsAtBegin;
            int count = _rows[row].Take(chunk, _inputs, row);
            if (begins && count > 0)
            {
                _cache.Begin(row);
            }

            read += count;
        }

        _inputs.Upload(chunk);
        Plan plan = _plans.Get(size, _record);
        plan.Run();
        _lastLogits = plan[_logits[size]];
        return read;
    }

    /// <summary>Copies the logits [V] that follow a row's last token; see <see cref="HasLogits"/>.</summary>
    public void ReadLogits(int row, Span<float> logits)
    {
        if (!HasLogits(row))
        {
            throw new InvalidOperationException($"decoder: row {row} has no logits; its last token was not read in the last run");
        }

        int vocab = _model.Config.Vocab;
        _model.Backend.Download(_lastLogits.With(Layout.Of(vocab), (long)row * vocab), logits);
    }

    public void Dispose()
    {
        _plans.Dispose();
        _cache.Dispose();
        _inputs.Dispose();
    }

    // That of the row with most to read; rows that it would take beyond the context wait.
    private int ChooseSize()
    {
        DecodeRow longest = _rows[0];
        foreach (DecodeRow row in _rows)
        {
            longest = row.Pending > longest.Pending ? row : longest;
        }

        return longest.ChooseSize(_sizes);
    }

    private Plan Record(int size)
    {
        var tape = new Tape(_model.Backend, taps: _taps);
        _logits[size] = _inputs.RecordOn(tape, _model, _cache, _sizes[size]);
        tape.Keep(_logits[size]);
        return new Plan(tape);
    }

    private void CheckToken(int token)
    {
        if ((uint)token >= (uint)_model.Config.Vocab)
        {
            throw new ArgumentOutOfRangeException(nameof(token), $"decoder: token {token} is not in [0, {_model.Config.Vocab})");
        }
    }
}
