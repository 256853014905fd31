using NanoFold.Engine.Configuration;
using NanoFold.Kernels;

namespace NanoFold.Engine.Tensors;

/// <summary>
/// All parameters of a model: values in one contiguous buffer and gradients of those that are trained in another, ordered by role so that an optimizer's
/// pass is one range. Passes add to gradients, which a step sets to 0 first, or begin them where their plan says so. What a model keeps besides, its state, is in a buffer of its own.
/// <para>
/// Tapes whose activations have 16 bits read a rounded copy of the values, the shadow; the values themselves, gradients and the optimizer stay in
/// single precision. Whoever writes values calls <see cref="Changed()"/> afterwards.
/// </para>
/// </summary>
public sealed class ParameterStore : IDisposable
{
    private readonly List<StoredTensor> _tensors = [];
    private readonly List<Parameter> _parameters = [];
    private readonly List<Router> _routers = [];
    private readonly Dictionary<string, StoredTensor> _byName = new(StringComparer.Ordinal);
    private readonly RouterCounts _counts = new();
    private StoreLayout _layout = new([]);
    private readonly List<DeviceBuffer> _held = [];
    private DeviceBuffer? _values;
    private DeviceBuffer? _states;
    private DeviceBuffer? _gradients;
    private ValueShadow? _shadow;

    public ParameterStore(Backend backend, DType type = DType.Float32)
    {
        Backend = backend;
        Type = type;
    }

    public Backend Backend { get; }

    public DType Type { get; }

    /// <summary>Type of the rounded copy of the values, or null where there is none; see <see cref="Shadow"/>.</summary>
    public DType? ShadowType => _shadow?.Type;

    /// <summary>Bytes of values, held ones too, gradients, shadow, state and what routers count.</summary>
    public long Bytes => (_values?.Bytes ?? 0) + HeldBytes + (_gradients?.Bytes ?? 0) + ShadowBytes + StateBytes + _counts.Bytes;

    /// <summary>Bytes of values that are held as they are in their files, or rounded.</summary>
    public long HeldBytes => _held.Sum(buffer => buffer.Bytes);

    public long ShadowBytes => _shadow?.Bytes ?? 0;

    /// <summary>Bytes of <see cref="States"/>.</summary>
    public long StateBytes => _states?.Bytes ?? 0;

    /// <summary>All that a checkpoint holds, in the order in which it was declared.</summary>
    public IReadOnlyList<StoredTensor> Tensors => _tensors;

    public IReadOnlyList<Parameter> Parameters => _parameters;

    public IEnumerable<StateTensor> States => _tensors.OfType<StateTensor>();

    /// <summary>Routers of mixtures of experts, in the order of their layers.</summary>
    public IReadOnlyList<Router> Routers => _routers;

    /// <summary>Number of trained scalars, padding not counted.</summary>
    public long Count => _parameters.Where(p => !p.Frozen).Sum(p => p.Layout.Count);

    /// <summary>Elements of the values, padding included; of those that are not held.</summary>
    public long Elements => _layout.Elements;

    /// <summary>Elements of the gradients, padding included.</summary>
    public long TrainedElements => _layout.TrainedElements;

    public bool IsAllocated => _values is not null;

    public Parameter this[string name] => Find(name) as Parameter ?? throw new KeyNotFoundException($"parameter store: no parameter '{name}'");

    /// <summary>The parameter or the state of that name, or null.</summary>
    public StoredTensor? Find(string name) => _byName.GetValueOrDefault(name);

    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <summary>Declares a parameter; all are declared before <see cref="Allocate(IParameterSource?, NameGlobs?)"/>.</summary>
    /// <param name="name">In the file.</param>
    /// <param name="layout">Its shape.</param>
    /// <param name="role">Decides its optimizer, decay and place.</param>
    /// <param name="initializer">How it starts where a seed decides.</param>
    /// <param name="growth">How it grew with the model's width; null for not at all.</param>
    public Parameter Add(string name, Layout layout, ParameterRole role, Initializer initializer, Growth? growth = null)
    {
        var parameter = new Parameter(this, name, layout, role, initializer) { Growth = growth ?? Growth.None };
        Declare(parameter);
        _parameters.Add(parameter);
        return parameter;
    }

    /// <summary>Declares state; before <see cref="Allocate(IParameterSource?, NameGlobs?)"/>.</summary>
    /// <param name="name">In the file; parameters and state share names.</param>
    /// <param name="layout">Its shape.</param>
    /// <param name="type">Of its elements; null for the store's.</param>
    /// <param name="initializer">Where it starts by a seed; 0 by default.</param>
    public StateTensor AddState(string name, Layout layout, DType? type = null, Initializer initializer = default)
    {
        var state = new StateTensor(this, name, layout, type ?? Type, initializer);
        Declare(state);
        return state;
    }

    /// <summary>Declares what a router keeps beside its parameters; before <see cref="Allocate(IParameterSource?, NameGlobs?)"/>.</summary>
    /// <param name="layer">Its layer.</param>
    /// <param name="experts">E.</param>
    /// <param name="bias">[E]: what balances the experts, or null.</param>
    /// <param name="biasRate">How far a step moves an element of the bias.</param>
    public Router AddRouter(int layer, int experts, StateTensor? bias = null, double biasRate = 0)
    {
        RequireNotAllocated($"a router of layer {layer}");
        var router = new Router(this, layer, experts, bias, biasRate) { Offset = _counts.Reserve(experts) };
        _routers.Add(router);
        return router;
    }

    /// <summary>Lays the parameters out, all of them trained, and draws them by a seed.</summary>
    public void Allocate(ulong seed) => Allocate(new SeedSource(seed));

    /// <summary>Lays parameters and state out and fills them, one after the other.</summary>
    /// <param name="source">Of all values; null where they are written next, by <see cref="Fill"/> or otherwise.</param>
    /// <param name="trains">The names of the parameters that are trained; null for all. The others are frozen.</param>
    /// <exception cref="UserException">A pattern matches no parameter, or the source has not what is wanted.</exception>
    public void Allocate(IParameterSource? source, NameGlobs? trains = null)
    {
        RequireNotAllocated("everything");
        trains?.RequireMatches([.. _parameters.Select(p => p.Name)], "parameter");
        foreach (Parameter parameter in _parameters)
        {
            parameter.Frozen = trains?.Matches(parameter.Name) == false;
        }

        try
        {
            Hold(source as IHoldingSource);
            _layout = new StoreLayout(_tensors);
            _values = Backend.Allocate(checked(Elements * Type.Size()));
            _states = _layout.StateBytes > 0 ? Backend.Allocate(_layout.StateBytes) : null;
            _counts.Allocate(Backend);
            if (source is not null)
            {
                FillRest(source);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Writes all values anew, one tensor after the other. Nothing on a backend that holds no values.</summary>
    /// <exception cref="UserException">The source has not what is wanted.</exception>
    public void Fill(IParameterSource source)
    {
        if (_held.Count > 0)
        {
            throw new InvalidOperationException("parameter store: values are held as they are in their files, and cannot be written");
        }

        FillRest(source);
    }

    private void FillRest(IParameterSource source)
    {
        if (!Backend.HoldsValues)
        {
            return;
        }

        foreach (StoredTensor tensor in _tensors.Where(tensor => tensor is not Parameter { Held: not null }))
        {
            if (!source.TryFill(tensor))
            {
                throw new UserException($"'{tensor.Name}' is missing where the model's values are taken from");
            }
        }

        Changed();
    }

    public View Values(StoredTensor tensor) => tensor is Parameter { Held: { } held } ? new(held.Buffer, 0, tensor.Layout, held.Type) : new(Buffer(tensor is StateTensor ? _states : _values), tensor.Offset, tensor.Layout, tensor.Type);

    /// <summary>The values in their own type, or their shadow.</summary>
    public View Values(Parameter parameter, DType type) => type == parameter.Type ? Values(parameter)
        : type == ShadowType ? _shadow!.Of(parameter)
        : throw new InvalidOperationException($"parameter store: has no values in {type}");

    /// <summary>Keeps a copy of all values in a type of 16 bits beside them from now on, one such type for a store.</summary>
    public void Shadow(DType type)
    {
        if (type == ShadowType)
        {
            return;
        }

        if (_held.Count > 0)
        {
            throw new InvalidOperationException($"parameter store: values in {type} beside those that are held as they are in their files");
        }

        if (ShadowType is not null || !type.Is16Bit() || Type != DType.Float32)
        {
            throw new InvalidOperationException($"parameter store: values in {type} beside {Type}{(ShadowType is { } other ? $" and {other}" : "")}; expected one type of 16 bits beside Float32");
        }

        Buffer(_values);
        _shadow = new ValueShadow(this, type);
        Changed();
    }

    /// <summary>To be called after values were written: brings the shadow up to date, by the device alone.</summary>
    public void Changed() => Changed(new ElementRange(0, Elements));

    /// <summary>To be called after some of the values were written, such as those that are <see cref="Trained"/>.</summary>
    public void Changed(ElementRange elements) => _shadow?.Update(elements);

    /// <summary>What a router has sent where since <see cref="ClearCounts"/>, Int32 [E + 1]: slots of each expert, and slots that were dropped.</summary>
    public View Counts(Router router) => _counts.Of(router);

    /// <summary>What all routers have sent where, as one vector.</summary>
    public View AllCounts => _counts.All;

    /// <summary>Sets the counts of all routers to 0: a step begins.</summary>
    public void ClearCounts() => _counts.Clear(Backend);

    public View Gradients(Parameter parameter) => parameter.Frozen
        ? throw new InvalidOperationException($"parameter '{parameter.Name}' is frozen and has no gradient")
        : new(AllocateGradients(), parameter.Offset, parameter.Layout, Type);

    /// <summary>All gradients as one vector, for stores of at most 2³¹ − 1 trained elements; <see cref="Trained"/> gives pieces of any.</summary>
    public View AllGradients => Gradients(Trained);

    /// <summary>Sets all gradients to 0: a step begins.</summary>
    public void ClearGradients()
    {
        foreach (ElementRange piece in Trained)
        {
            Backend.Fill(Gradients(piece), 0);
        }
    }

    /// <summary>The elements of all trained parameters.</summary>
    public ElementRange Trained => new(0, TrainedElements);

    /// <summary>The elements of the trained parameters of a role.</summary>
    public ElementRange Range(ParameterRole role) => _layout[role];

    /// <summary>Values of some elements, as a vector; of as many as 32 bits can count, as the pieces of a range have.</summary>
    public View Values(ElementRange piece) => Vector(_values, piece);

    /// <summary>Gradients of trained elements, as a vector; of as many as 32 bits can count, as the pieces of a range have.</summary>
    public View Gradients(ElementRange piece) => Vector(AllocateGradients(), piece);

    /// <summary>The shadow of some values, as a vector; none where there is no shadow. Whoever writes values there too need not call <see cref="Changed()"/>.</summary>
    public View Rounded(ElementRange piece) => _shadow?.Of(piece) ?? default;

    /// <summary>Takes the memory of the gradients, which is not there before anyone asks for them.</summary>
    internal DeviceBuffer AllocateGradients()
    {
        Buffer(_values);
        return _gradients ??= Backend.Allocate(TrainedElements * Type.Size());
    }

    public void Dispose()
    {
        _values?.Dispose();
        _states?.Dispose();
        _gradients?.Dispose();
        _shadow?.Dispose();
        _counts.Dispose();
        foreach (DeviceBuffer buffer in _held)
        {
            buffer.Dispose();
        }

        _held.Clear();
        _values = _states = _gradients = null;
        _shadow = null;
    }

    private void Hold(IHoldingSource? source)
    {
        if (source is null)
        {
            return;
        }

        foreach (Parameter parameter in _parameters)
        {
            if (source.TryHold(parameter) is { } held)
            {
                _held.Add(held.Buffer);
                (parameter.Held, parameter.Frozen) = (held, true);
            }
        }
    }

    private void Declare(StoredTensor tensor)
    {
        RequireNotAllocated($"'{tensor.Name}'");
        if (!_byName.TryAdd(tensor.Name, tensor))
        {
            throw new ArgumentException($"parameter store: '{tensor.Name}' is there already");
        }

        _tensors.Add(tensor);
    }

    private void RequireNotAllocated(string what)
    {
        if (IsAllocated)
        {
            throw new InvalidOperationException($"parameter store: {what} added after the store was allocated");
        }
    }

    private View Vector(DeviceBuffer? buffer, ElementRange piece) => new(Buffer(buffer), piece.Start, Layout.Of(checked((int)piece.Count)), Type);

    private static DeviceBuffer Buffer(DeviceBuffer? buffer) =>
        buffer ?? throw new InvalidOperationException("parameter store: used before it was allocated");
}
