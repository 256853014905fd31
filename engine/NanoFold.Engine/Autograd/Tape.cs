using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Autograd;

/// <summary>
/// A recording of one pass for one batch shape: ops append nodes and get handles, nothing is computed.
/// <see cref="Plan"/> turns it into memory and an order of calls that is replayed at every step.
/// </summary>
public sealed class Tape
{
    private readonly List<Node> _nodes = [];
    private readonly List<TapeValue> _values = [];
    private readonly List<Tensor> _losses = [];
    private readonly List<LossTerm> _lossTerms = [];
    private readonly TapeSources _sources;
    private readonly bool _isTraining;
    private StepState? _state;
    private string _path = "";
    private int _segment = -1;
    private int _segments;
    private int _randomStreams;

    /// <param name="backend">Decides which fused kernels ops may record.</param>
    /// <param name="arithmetic">Real type of all activations, and how products round. With 16 bits parameters are read from the shadow of their store.</param>
    /// <param name="training">Whether dropout is active and gradients will be asked for.</param>
    /// <param name="taps">Readers and editors of named points, or null.</param>
    public Tape(Backend backend, Arithmetic arithmetic = default, bool training = false, TapSet? taps = null)
    {
        if (!backend.Supports(arithmetic.Type))
        {
            throw new NotSupportedException($"{backend.Name}: cannot compute in {arithmetic.Type}");
        }

        Backend = backend;
        Arithmetic = arithmetic;
        IsTraining = _isTraining = training;
        Taps = taps;
        _sources = new TapeSources(this, _values, training);
    }

    public Backend Backend { get; }

    public Arithmetic Arithmetic { get; }

    /// <summary>Real type of all activations; what sums over them has <see cref="DTypeExtensions.Sum"/>.</summary>
    public DType Type => Arithmetic.Type;

    /// <summary>Whether what is recorded now is trained: dropout is active, and what only gradients need is kept.</summary>
    public bool IsTraining { get; private set; }

    /// <summary>Whether training leaves something out: dropout, and tokens beyond the capacity of an expert. Not where gradients are measured.</summary>
    public bool Drops { get; init; } = true;

    /// <summary>
    /// Whether there is a backward pass though nothing is trained: gradients flow to points, none to parameters; nothing drops out, and there are no losses but those that are
    /// added for it.
    /// </summary>
    public bool IsDifferentiated { get; init; }

    /// <summary>The step of training, from 0, that the pass is recorded for: what changes at a step is recorded anew there. After all such outside of training.</summary>
    public long Step { get; init; } = long.MaxValue;

    /// <summary>
    /// What its calls read that changes from step to step, and add up. Given by whoever records several passes that belong together and disposed there;
    /// otherwise the tape's own, made where it is first asked for.
    /// </summary>
    public StepState State
    {
        get => _state ??= Backend.NewState();
        init => _state = value;
    }

    public TapSet? Taps { get; private set; }

    /// <summary>Whether what is recorded now leaves out what adapters put around layers, see <see cref="AsReference"/>.</summary>
    internal bool IsWithoutAdapters { get; private set; }

    /// <summary>Editors that belong to the model that is recording, see <see cref="EditBy"/>.</summary>
    internal TapSet? Edits { get; private set; }

    /// <summary>What the model that recorded last reads: by it editors and readers choose places.</summary>
    internal TapInput? Input { get; set; }

    /// <summary>Whether there is a backward pass whose gradients can be read.</summary>
    internal bool HasBackward => _isTraining || IsDifferentiated;

    /// <summary>Whether what is recorded now keeps what only its gradient needs.</summary>
    internal bool KeepsForGradient => IsTraining || IsDifferentiated;

    public IReadOnlyList<Node> Nodes => _nodes;

    /// <summary>The stores whose parameters it uses, in the order in which it met them.</summary>
    public IReadOnlyList<ParameterStore> Stores => _sources.Stores;

    internal IReadOnlyList<TapeValue> Values => _values;

    internal IReadOnlyList<Tensor> Losses => _losses;

    /// <summary>The terms beside the loss in nats per token that its losses add up, in the order in which they were recorded.</summary>
    public IReadOnlyList<LossTerm> LossTerms => _lossTerms;

    /// <summary>Path of the module that is recording, as in <c>blocks.3.attn</c>.</summary>
    public string Path => _path;

    /// <summary>Memory that outlives the plan: batches, tables, caches. No gradient flows to it.</summary>
    public Tensor External(string name, in View view) => _sources.Add(name, view);

    /// <summary>The handle of a parameter, of any store; the same value however often it is used.</summary>
    public Tensor Use(Parameter parameter) => _sources.Of(parameter);

    /// <inheritdoc cref="TapeSources.OfJoined"/>
    internal Tensor UseJoined(IReadOnlyList<Parameter> parameters) => _sources.OfJoined(parameters);

    /// <summary>The handle of state in its own type; no gradient flows to it. An op may write it.</summary>
    public Tensor Use(StateTensor state) => External(state.Name, _sources.Meet(state.Store).Values(state));

    /// <summary>The handle of what a router counts in a step.</summary>
    public Tensor UseCounts(Router router) => External("expert counts", _sources.Meet(router.Store).Counts(router));

    /// <summary>The handle of a table; the same value however often it is used.</summary>
    public Tensor Use(Table table) => _sources.Of(table);

    /// <summary>Appends a node with one real output.</summary>
    public Tensor Record(Op op, ReadOnlySpan<Tensor> inputs, in Layout output) => Record(op, inputs, [(output, Type)])[0];

    /// <summary>Appends a node; outputs are contiguous.</summary>
    public Tensor[] Record(Op op, ReadOnlySpan<Tensor> inputs, ReadOnlySpan<(Layout Layout, DType Type)> outputs)
    {
        bool needsGradient = false;
        for (int i = 0; i < inputs.Length; i++)
        {
            needsGradient |= !inputs[i].IsNone && op.IsDifferentiable(i) && _values[inputs[i].Id].NeedsGradient;
        }

        var handles = new Tensor[outputs.Length];
        for (int i = 0; i < outputs.Length; i++)
        {
            (Layout layout, DType type) = outputs[i];
            Layout contiguous = Layout.Of(layout.ToShape());
            _values.Add(new TapeValue(ValueKind.Activation, contiguous, type, op.Name)
            {
                Producer = _nodes.Count,
                NeedsGradient = needsGradient && type != DType.Int32,
            });
            handles[i] = new Tensor(_values.Count - 1, 0, contiguous, type);
        }

        _nodes.Add(new Node(_nodes.Count, op, inputs.ToArray(), handles, _path, _segment));
        return handles;
    }

    /// <summary>
    /// Gives the last node another input in place of one, so that an op becomes part of the one before it. False where its output would then need a gradient
    /// that it does not have.
    /// </summary>
    internal bool TryReplaceLastInput(int index, Tensor input)
    {
        Node last = _nodes[^1];
        if (_values[input.Id].NeedsGradient && !_values[last.Outputs[0].Id].NeedsGradient)
        {
            return false;
        }

        Tensor[] inputs = [.. last.Inputs];
        inputs[index] = input;
        _nodes[^1] = new Node(last.Index, last.Op, inputs, [.. last.Outputs], last.Path, last.Segment);
        return true;
    }

    /// <summary>Marks a value whose gradient is 1 everywhere, usually a scalar [1]: where the backward pass starts. Several add up.</summary>
    public void AddLoss(Tensor loss)
    {
        _losses.Add(loss);
        Keep(loss);
    }

    /// <summary>
    /// Says that one of the losses adds a term to a slot of its own, which is to be reported; several may add to one. A step is skipped where a term is not finite.
    /// </summary>
    /// <param name="key">Under which the term is reported, as <c>balanceLoss</c>.</param>
    /// <returns>The slot, for the op that adds to it.</returns>
    public StepSlot AddLossTerm(string key)
    {
        var term = new LossTerm(key, State.AddTerm(key));
        if (!_lossTerms.Contains(term))
        {
            _lossTerms.Add(term);
        }

        return term.Slot;
    }

    /// <summary>Has the gradient of a value computed though nothing that is trained comes before it.</summary>
    internal void RequireGradient(Tensor tensor) => _values[tensor.Id].NeedsGradient = HasBackward;

    /// <summary>Keeps a value's memory until the next run, for the host to read.</summary>
    public void Keep(Tensor tensor) => _values[tensor.Id].Kept = true;

    /// <summary>Enters a module: names what follows until disposed.</summary>
    public Scope Enter(string name)
    {
        Scope outer = Here;
        _path = _path.Length == 0 ? name : $"{_path}.{name}";
        return outer;
    }

    /// <summary>What is recorded until disposed passes these editors, before those of <see cref="Taps"/>: a model's own, which other models on the tape do not pass.</summary>
    internal Scope EditBy(TapSet? edits)
    {
        Scope outer = Here;
        Edits = edits;
        return outer;
    }

    /// <summary>
    /// What is recorded until disposed is as in an evaluation, without dropout and without losses of its own: a reference beside what is trained, of which the logits
    /// are recorded (a loss op would add to the step's loss). Its parameters are those of a store of which none is trained.
    /// </summary>
    public Scope AsInEvaluation()
    {
        Scope outer = Here;
        IsTraining = false;
        return outer;
    }

    /// <summary>The same of a reference that nobody reads or edits: taps see nothing of it.</summary>
    /// <param name="withoutAdapters">Whether the model is recorded as if nothing were put around its layers: as it was before adapters were trained.</param>
    internal Scope AsReference(bool withoutAdapters)
    {
        Scope outer = AsInEvaluation();
        Taps = null;
        IsWithoutAdapters = withoutAdapters;
        return outer;
    }

    /// <summary>A number for the next op that draws random numbers: counted apart from nodes, so that taps do not change what is drawn.</summary>
    public int NextRandomStream() => _randomStreams++;

    /// <summary>A stretch of nodes whose inner activations a plan may drop and compute again in the backward pass.</summary>
    public void BeginSegment() => _segment = _segments++;

    public void EndSegment() => _segment = -1;

    private Scope Here => new(this, (_path, IsTraining, Edits, Taps, IsWithoutAdapters));

    /// <summary>Where recording goes back to when it is disposed.</summary>
    public readonly struct Scope : IDisposable
    {
        private readonly Tape _tape;
        private readonly (string Path, bool IsTraining, TapSet? Edits, TapSet? Taps, bool IsWithoutAdapters) _outer;

        internal Scope(Tape tape, (string Path, bool IsTraining, TapSet? Edits, TapSet? Taps, bool IsWithoutAdapters) outer) => (_tape, _outer) = (tape, outer);

        public void Dispose() => (_tape._path, _tape.IsTraining, _tape.Edits, _tape.Taps, _tape.IsWithoutAdapters) = _outer;
    }
}
