using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Generation.Batching;

/// <summary>
/// Runs a model over rows that come and go at any time. A row reads its prompt in runs of its own, in place in the shared cache, and then takes part in steps in which
/// every row brings one token, so that weights are read from memory once for all. Each row's runs have the sizes that <see cref="Decoder"/> would choose for it alone and
/// each step keeps the rows apart (<see cref="Backend.Sequences"/>): where the device can do that, the logits of a row are those of a decoder of one row, to the bit,
/// whatever stands beside it. A step allocates nothing managed once its plan is there.
/// <para>
/// A step is as wide as there are rows with a text, to the next number of rows that there is a plan for: where rows have ended below others, what is remembered of the last ones
/// is copied into their places. That moves about as many bytes as the next step reads of them.
/// </para>
/// </summary>
/// <remarks>For one thread at a time.</remarks>
public sealed class BatchDecoder : IDisposable
{
    // Steps of up to so many rows have a plan for each number; of more, for multiples.
    private const int EveryNumber = 8, Wide = 32, SmallUnit = 4, LargeUnit = 8;

    private readonly Transformer _model;
    private readonly DecodeCache _cache;
    private readonly RowPlaces _places;
    private readonly PlanCache<(int First, int Rows, int Size)> _plans;
    private readonly Func<(int First, int Rows, int Size), Plan> _record;
    private readonly Func<int, bool> _steps;
    private readonly DecodeInputs _readInputs;
    private readonly Dictionary<int, DecodeInputs> _stepInputs = [];
    private readonly Dictionary<(int First, int Rows, int Size), Tensor> _logits = [];
    private readonly int[] _sizes;
    private readonly DecodeRow[] _rows;
    private readonly long[] _turns;
    private readonly bool[] _ran;
    private long _turn;
    private (int First, int Rows, int Size) _last;
    private View _lastLogits;

    /// <param name="model">In float32; not disposed here.</param>
    /// <param name="rows">Texts at a time at most.</param>
    /// <param name="arena">Memory shared with what does not run meanwhile; null for its own.</param>
    /// <exception cref="UserException">The model cannot be decoded.</exception>
    public BatchDecoder(Transformer model, int rows, SharedArena? arena = null)
    {
        if (model.Store.Type != DType.Float32)
        {
            throw new ArgumentException($"decoder: the model is in {model.Store.Type}; expected {DType.Float32}");
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        _model = model;
        _sizes = Decoder.SizesFor(model.Config);
        _rows = [.. Enumerable.Range(0, rows).Select(_ => new DecodeRow(model.Config.Context, model.SlidesOn))];
        _places = new RowPlaces(_rows);
        _turns = new long[rows];
        _ran = new bool[rows];
        _cache = model.NewCache(rows, _sizes[^1]);
        _readInputs = new DecodeInputs(model.Backend, 1, _sizes[^1]);
        _plans = new PlanCache<(int First, int Rows, int Size)>(model.Backend, capacity: (2 * rows) + EveryNumber + (rows / SmallUnit) + 1, arena);
        _record = Record;
        _steps = row => _rows[row].ChooseSize(_sizes) == 0;
    }

    /// <summary>Texts at a time at most.</summary>
    public int Rows => _rows.Length;

    /// <summary>Bytes of what the layers remember of all rows.</summary>
    public long CacheBytes => _cache.Bytes;

    /// <summary>Rows that the last run computed.</summary>
    internal int Width => _last.Rows;

    /// <summary>Gives a row tokens to read; see <see cref="Decoder.Begin"/>.</summary>
    /// <returns>Tokens, after those to be kept, that were dropped.</returns>
    public int Begin(int row, ReadOnlySpan<int> tokens, int keep = 0)
    {
        foreach (int token in tokens)
        {
            CheckToken(token);
        }

        _turns[row] = _turn++;
        _ran[row] = false;
        if (_rows[row].IsIdle)
        {
            _places.TakeFirst(row);
        }

        return _rows[row].Begin(tokens, keep);
    }

    /// <summary>Gives a row one token more to read.</summary>
    public void Append(int row, int token)
    {
        CheckToken(token);
        _ran[row] = false;
        _rows[row].Append(token);
    }

    /// <summary>Leaves a row idle until it begins again.</summary>
    public void End(int row)
    {
        _ran[row] = false;
        _rows[row].Begin([], 0);
    }

    /// <summary>Whether the last run read a row's last token, so that its next one can be drawn.</summary>
    public bool HasLogits(int row) => _ran[row] && _rows[row].IsRead && _rows[row].Count > 0;

    /// <summary>Reads a chunk of several tokens of the row that has waited for it longest; where there is none, does nothing.</summary>
    /// <returns>The tokens read.</returns>
    public int ReadChunk()
    {
        int row = -1;
        for (int i = 0; i < _rows.Length; i++)
        {
            row = _rows[i].ChooseSize(_sizes) > 0 && (row < 0 || _turns[i] < _turns[row]) ? i : row;
        }

        if (row < 0)
        {
            return 0;
        }

        int size = _rows[row].ChooseSize(_sizes);
        BeginRun();
        int count = Take(row, _sizes[size], _readInputs, 0);
        _readInputs.Upload(_sizes[size]);
        Run((_places.Of(row), 1, size));
        return count;
    }

    /// <summary>Reads one token of every row that has one to read and no chunk; where there is none, does nothing.</summary>
    /// <returns>The tokens read.</returns>
    public int Step()
    {
        int width = _places.Width(_steps);
        if (width == 0)
        {
            return 0;
        }

        BeginRun();
        if (WithPlan(_places.Used) < WithPlan(width))
        {
            _places.MoveTogether(_cache);
            width = _places.Width(_steps);
        }

        int rows = WithPlan(width), read = 0;
        if (!_stepInputs.TryGetValue(rows, out DecodeInputs? inputs))
        {
            _stepInputs.Add(rows, inputs = new DecodeInputs(_model.Backend, rows, 1));
        }

        for (int place = 0; place < rows; place++)
        {
            int row = _places.RowAt(place);
            if (_steps(row))
            {
                read += Take(row, 1, inputs, place);
            }
            else
            {
                DecodeRow.Idle(1, inputs, place);
            }
        }

        inputs.Upload(1);
        Run((0, rows, 0));
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
        _model.Backend.Download(_lastLogits.With(Layout.Of(vocab), (long)(_places.Of(row) - _last.First) * vocab), logits);
    }

    public void Dispose()
    {
        _plans.Dispose();
        _cache.Dispose();
        _readInputs.Dispose();
        foreach (DecodeInputs inputs in _stepInputs.Values)
        {
            inputs.Dispose();
        }
    }

    // The values of the run before are gone.
    private void BeginRun() => Array.Clear(_ran);

    private int Take(int row, int chunk, DecodeInputs inputs, int place)
    {
        bool begins = _rows[row].IsAtBegin;
        int count = _rows[row].Take(chunk, inputs, place);
        if (begins && count > 0)
        {
            _cache.Begin(_places.Of(row));
        }

        _ran[row] = true;
        return count;
    }

    private void Run((int First, int Rows, int Size) key)
    {
        Backend backend = _model.Backend;
        // Before the plan is bound to its memory: what it makes ready there is for so many rows.
        backend.Sequences = key.Rows;
        Plan plan;
        try
        {
            plan = _plans.Get(key, _record);
            plan.Run();
        }
        finally
        {
            backend.Sequences = 1;
        }

        _last = key;
        _lastLogits = plan[_logits[key]];
    }

    private Plan Record((int First, int Rows, int Size) key)
    {
        var tape = new Tape(_model.Backend);
        DecodeInputs inputs = key.Size > 0 ? _readInputs : _stepInputs[key.Rows];
        Tensor logits = inputs.RecordOn(tape, _model, _cache.Rows(key.First, key.Rows), _sizes[key.Size]);
        tape.Keep(logits);
        _logits[key] = logits;
        return new Plan(tape);
    }

    // Rows of a step for which there is a plan.
    private int WithPlan(int rows)
    {
        int unit = rows <= EveryNumber ? 1 : rows <= Wide ? SmallUnit : LargeUnit;
        return Math.Min((rows + unit - 1) / unit * unit, _rows.Length);
    }

    private void CheckToken(int token)
    {
        if ((uint)token >= (uint)_model.Config.Vocab)
        {
            throw new ArgumentOutOfRangeException(nameof(token), $"decoder: token {token} is not in [0, {_model.Config.Vocab})");
        }
    }
}
