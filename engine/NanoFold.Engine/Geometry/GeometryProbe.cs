using NanoFold.Engine.Autograd;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Geometry.Statistics;
using NanoFold.Engine.Model;
using NanoFold.Engine.Taps;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Tensors;
using NanoFold.Engine.Text;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry;

/// <summary>
/// A fixed set of tokens whose way through a model's body is measured in a forward pass of its own: the same tokens every time, so that changes are the
/// model's. It changes no bit of training. Values are read at sampled tokens only, block by block, and measured as soon as a block is read.
/// </summary>
public sealed class GeometryProbe : IDisposable
{
    private const ulong SampleSeed = 1;

    private readonly Transformer _model;
    private readonly Arithmetic _arithmetic;
    private readonly SharedArena _arena;
    private readonly bool _ownsArena;
    private readonly LearningTask _task;
    private readonly ProbeTokens _tokens;
    private readonly BatchBuffers _buffers;
    private readonly BlockReader _reader;
    private readonly StreamKeeper? _streams;
    private readonly Plan _plan;
    private readonly StepState _state;

    /// <param name="model">Its parameters are in float32.</param>
    /// <param name="task">What the model reads; not disposed here.</param>
    /// <param name="shape">How many tokens, and how many are looked at.</param>
    /// <param name="measures">What may be measured: their points are recorded.</param>
    /// <param name="arithmetic">What it computes in.</param>
    /// <param name="arena">Memory shared with what does not run at the same time; null for its own.</param>
    public GeometryProbe(
        Transformer model, LearningTask task, ProbeShape shape, IReadOnlyList<Measure> measures, Arithmetic arithmetic = default, SharedArena? arena = null)
    {
        double measuring = MeasureMemory.Most(shape, measures, model.Config.Width);
        (_model, _arithmetic) = (model, arithmetic);
        Shape = shape;
        Measures = measures;
        _arena = arena ?? new SharedArena(model.Backend);
        _ownsArena = arena is null;
        _task = task;
        _tokens = new ProbeTokens(task, shape);
        _buffers = new BatchBuffers(model.Backend, _tokens.Rows.Fields, shape.Batch, arithmetic.Type);
        int mostNeighbors = Math.Max(1, measures.Select(m => m.Neighbors).DefaultIfEmpty().Max());
        Want[] wants = [.. measures.SelectMany(m => m.Wants).Distinct()];
        bool keepsStreams = measures.Any(m => m.NeedsStreams);
        if (keepsStreams)
        {
            wants = [.. wants.Union(StreamKeeper.Wants)];
        }

        _reader = new BlockReader(model.Backend, shape, wants, mostNeighbors, model.Config.Layers, SampleSeed) { Store = model.Store };
        _state = model.Backend.NewState();
        var tape = new Tape(model.Backend, arithmetic, taps: new TapSet(_reader.Taps)) { State = _state };
        tape.Keep(task.RecordBody(tape, model, _buffers.On(tape)));
        _plan = new Plan(tape);
        _streams = keepsStreams ? new StreamKeeper(model.Backend, _reader.Points, shape, mostNeighbors, model.Config.Layers, measures.Any(m => m.NeedsBefore)) : null;
        double graphs = _streams is null ? 0 : (double)model.Config.Layers * shape.Neighbors * Math.Min(mostNeighbors, shape.Neighbors) * (sizeof(double) + sizeof(int));
        SampleBytes = _reader.BytesFor(tape) + ((_streams?.ElementsPerWidth ?? 0) * model.Config.Width * sizeof(float)) + (long)(measuring + graphs);
    }

    /// <summary>How many tokens go through the model, and how many are looked at.</summary>
    public ProbeShape Shape { get; }

    /// <summary>What may be measured.</summary>
    public IReadOnlyList<Measure> Measures { get; }

    /// <summary>What measures of the whole model are given; null while it trains.</summary>
    public NetworkSample? Network { get; set; }

    /// <summary>Blocks of the model.</summary>
    internal int Layers => _model.Config.Layers;

    /// <summary>Width of the stream.</summary>
    internal int Width => _model.Config.Width;

    /// <summary>Bytes of the arena that a pass needs.</summary>
    public long ArenaBytes => _plan.ArenaBytes;

    /// <summary>Bytes on the device besides the arena.</summary>
    public long InputBytes => _buffers.Bytes + _reader.DeviceBytes;

    /// <summary>Bytes of the host that samples take, and measuring them.</summary>
    public long SampleBytes { get; }

    /// <summary>Takes the tokens to be measured: rows evenly spaced over those that the task has for it.</summary>
    /// <param name="labels">More classes of the tokens, given where each row is among all of them.</param>
    public void Read(Func<IReadOnlyList<long>, IReadOnlyList<LabelColumn>>? labels = null)
    {
        _tokens.Read(labels);
        Upload();
    }

    /// <summary>Takes the tokens to be measured, [B, T], and the documents that they are of.</summary>
    public void Read(ReadOnlySpan<int> tokens, ReadOnlySpan<int> documents)
    {
        _tokens.Read(tokens, documents);
        Upload();
    }

    /// <summary>Whether clouds are of a Gaussian with the mean and covariance of the tokens' values, in place of these: a control.</summary>
    internal bool IsGaussian
    {
        set => _reader.Replace = value ? cloud => GaussianCloud.Replace(cloud, SampleSeed) : null;
    }

    /// <inheritdoc cref="ProbeTokens.Shuffle"/>
    internal bool Shuffle(ulong seed)
    {
        if (!_tokens.Shuffle(seed))
        {
            return false;
        }

        Upload();
        return true;
    }

    /// <summary>What was kept of the last pass, in memory of its own.</summary>
    internal IReadOnlyList<PointCloud> CopyStreams() => _streams?.Copy() ?? [];

    /// <summary>The whole model with the tokens that were read.</summary>
    /// <param name="seed">Decides every draw.</param>
    /// <param name="tokenizer">What tokens mean.</param>
    public NetworkSample NewNetwork(ulong seed, Tokenizer? tokenizer) => new()
    {
        Model = _model,
        Tokenizer = tokenizer,
        Task = _task,
        Shape = Shape,
        Rows = _tokens.Rows,
        Tokens = _tokens.Of(LabelColumn.Token),
        Documents = _tokens.Documents,
        Targets = _tokens.Of(LabelColumn.Next),
        Labels = _tokens.Labels,
        Points = _reader.Points,
        Seed = seed,
    };

    /// <summary>Runs the model's body once and measures it.</summary>
    /// <param name="step">Steps that the model has taken.</param>
    /// <param name="due">Which of <see cref="Measures"/>, by their number.</param>
    /// <param name="take">Is to take a measure at a place: it may time it, or leave it.</param>
    /// <param name="goesOn">Whether there is time left: if not, what is left of the pass is given up.</param>
    internal void Run(long step, IReadOnlyList<int> due, Action<int, PlacedMeasure> take, Func<bool> goesOn)
    {
        Measure[] measures = [.. due.Select(i => Measures[i])];
        bool keeps = measures.Any(m => m.NeedsStreams);
        _reader.Reads([.. measures.SelectMany(m => m.Wants), .. keeps ? StreamKeeper.Wants : []]);
        _reader.Ready = block =>
        {
            Take(due, m => m.AfterBlock(block), take);
            if (keeps)
            {
                _streams!.Keep(block);
            }
        };
        _arena.Bind(_plan);
        _plan.RunWhile(goesOn);
        if (!goesOn())
        {
            return;
        }

        PassSample pass = keeps ? _streams!.Pass(step, _model.Store, Network) : new PassSample { Streams = [], Store = _model.Store, Network = Network };
        Take(due, m => m.AfterPass(pass), take);
        if (measures.Any(m => m.NeedsBefore))
        {
            _streams!.Turn(step);
        }
    }

    /// <summary>Runs the whole model once on the tokens that were read, for other readers.</summary>
    internal void RunOnce(TapSet taps)
    {
        var tape = new Tape(_model.Backend, _arithmetic, taps: taps) { State = _state };
        BatchTensors batch = _buffers.On(tape);
        Tensor x = _task.RecordBody(tape, _model, batch);
        tape.Keep(_model.Config.Outputs > 0 ? _model.ReadOut.Values(tape, x) : _model.Language.Logits(tape, x));
        using var plan = new Plan(tape);
        using var arena = new SharedArena(_model.Backend);
        arena.Bind(plan);
        plan.Run();
    }

    public void Dispose()
    {
        _plan.Dispose();
        _state.Dispose();
        _buffers.Dispose();
        _reader.Dispose();
        if (_ownsArena)
        {
            _arena.Dispose();
        }
    }

    private void Upload()
    {
        _buffers.Upload(_tokens.Rows);
        int[] tokens = _tokens.Of(LabelColumn.Token);
        _reader.Read(tokens, _tokens.Documents, _tokens.Labels, _model.Config.Visibility, _tokens.Rows.Integers(BatchField.Prefixes));
        _streams?.Read(tokens, _tokens.Documents, _tokens.Labels);
    }

    private void Take(IReadOnlyList<int> due, Func<Measure, IEnumerable<PlacedMeasure>> places, Action<int, PlacedMeasure> take)
    {
        foreach (int measure in due)
        {
            foreach (PlacedMeasure placed in places(Measures[measure]))
            {
                take(measure, placed);
            }
        }
    }
}
