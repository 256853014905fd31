using NanoFold.Kernels;

namespace NanoFold.Engine.Tensors;

/// <summary>
/// All parameters of a model: values in one contiguous buffer and gradients in another, ordered by role so that an optimizer's
/// pass is one range. Gradients always accumulate; a step begins by zeroing them.
/// <para>
/// Tapes whose activations have 16 bits read a rounded copy of the values, the shadow; the values themselves, gradients and the optimizer stay in
/// single precision. Whoever writes values calls <see cref="Changed"/> afterwards.
/// </para>
/// </summary>
public sealed class ParameterStore : IDisposable
{
    /// <summary>Every parameter starts at a multiple of this many elements.</summary>
    private const int AlignmentElements = 64;

    private readonly List<Parameter> _parameters = [];
    private readonly List<Router> _routers = [];
    private readonly Dictionary<string, Parameter> _byName = new(StringComparer.Ordinal);
    private readonly (long Start, long End)[] _ranges = new (long, long)[Enum.GetValues<ParameterRole>().Length];
    private DeviceBuffer? _values;
    private DeviceBuffer? _gradients;
    private DeviceBuffer? _shadow;
    private DeviceBuffer? _counts;
    private int _countElements;

    public ParameterStore(Backend backend, DType type = DType.Float32)
    {
        Backend = backend;
        Type = type;
    }

    public Backend Backend { get; }

    public DType Type { get; }

    /// <summary>Type of the rounded copy of the values, or null where there is none; see <see cref="Shadow"/>.</summary>
    public DType? ShadowType { get; private set; }

    /// <summary>Bytes of values, gradients, shadow and what routers count.</summary>
    public long Bytes => (_values?.Bytes ?? 0) + (_gradients?.Bytes ?? 0) + (_shadow?.Bytes ?? 0) + (_counts?.Bytes ?? 0);

    public long ShadowBytes => _shadow?.Bytes ?? 0;

    public IReadOnlyList<Parameter> Parameters => _parameters;

    /// <summary>Routers of mixtures of experts, in the order of their layers.</summary>
    public IReadOnlyList<Router> Routers => _routers;

    /// <summary>Number of trained scalars, padding not counted.</summary>
    public long Count => _parameters.Where(p => !p.Frozen).Sum(p => p.Layout.Count);

    /// <summary>Elements of each buffer, padding included.</summary>
    public long Elements { get; private set; }

    public bool IsAllocated => _values is not null;

    public Parameter this[string name] => _byName.TryGetValue(name, out Parameter? parameter)
        ? parameter
        : throw new KeyNotFoundException($"parameter store: no parameter '{name}'");

    /// <summary>Declares a parameter; all are declared before <see cref="Allocate"/>.</summary>
    public Parameter Add(string name, Layout layout, ParameterRole role, Initializer initializer, bool frozen = false)
    {
        if (IsAllocated)
        {
            throw new InvalidOperationException($"parameter store: '{name}' added after the store was allocated");
        }

        var parameter = new Parameter(this, name, layout, role, initializer, frozen);
        if (!_byName.TryAdd(name, parameter))
        {
            throw new ArgumentException($"parameter store: '{name}' is there already");
        }

        _parameters.Add(parameter);
        return parameter;
    }

    /// <summary>Declares what a router keeps beside its parameters; before <see cref="Allocate"/>.</summary>
    /// <param name="layer">Its layer.</param>
    /// <param name="experts">E.</param>
    /// <param name="bias">Frozen, [E]: what balances the experts, or null.</param>
    /// <param name="biasRate">How far a step moves an element of the bias.</param>
    public Router AddRouter(int layer, int experts, Parameter? bias = null, double biasRate = 0)
    {
        if (IsAllocated)
        {
            throw new InvalidOperationException($"parameter store: a router of layer {layer} added after the store was allocated");
        }

        var router = new Router(this, layer, experts, bias, biasRate) { Offset = _countElements };
        _countElements = checked(_countElements + experts + 1);
        _routers.Add(router);
        return router;
    }

    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <summary>Lays the parameters out and initializes them; each from its own random stream, so that names, not order, decide.</summary>
    /// <param name="seed">Of the initial values; null where all are written next, as from a checkpoint: none are drawn then.</param>
    public void Allocate(ulong? seed)
    {
        long offset = 0;
        // Trained parameters first, by role; frozen ones after them, beyond the gradient buffer.
        foreach (ParameterRole role in Enum.GetValues<ParameterRole>())
        {
            long start = offset;
            foreach (Parameter parameter in _parameters.Where(p => !p.Frozen && p.Role == role))
            {
                Place(parameter, ref offset);
            }

            _ranges[(int)role] = (start, offset);
        }

        long trained = offset;
        foreach (Parameter parameter in _parameters.Where(p => p.Frozen))
        {
            Place(parameter, ref offset);
        }

        Elements = offset;
        _values = Backend.Allocate(offset * Type.Size());
        TrainedElements = trained;
        if (_routers.Count > 0)
        {
            _counts = Backend.Allocate((long)_countElements * sizeof(int));
            ClearCounts();
        }

        if (seed is { } drawn && Backend.HoldsValues)
        {
            foreach (Parameter parameter in _parameters)
            {
                ParameterInit.Fill(this, parameter, drawn);
            }
        }
    }

    /// <summary>Elements of the gradient buffer.</summary>
    public long TrainedElements { get; private set; }

    public View Values(Parameter parameter) => new(Buffer(_values), parameter.Offset, parameter.Layout, Type);

    /// <summary>The values in the store's own type, or their shadow.</summary>
    public View Values(Parameter parameter, DType type) => type == Type
        ? Values(parameter)
        : new(type == ShadowType ? Buffer(_shadow) : throw new InvalidOperationException($"parameter store: has no values in {type}"), parameter.Offset, parameter.Layout, type);

    /// <summary>Keeps a copy of all values in a type of 16 bits beside them from now on, one such type for a store.</summary>
    public void Shadow(DType type)
    {
        if (type == ShadowType)
        {
            return;
        }

        if (ShadowType is not null || !type.Is16Bit() || Type != DType.Float32)
        {
            throw new InvalidOperationException($"parameter store: values in {type} beside {Type}{(ShadowType is { } other ? $" and {other}" : "")}; expected one type of 16 bits beside Float32");
        }

        Buffer(_values);
        _shadow = Backend.Allocate(Elements * type.Size());
        ShadowType = type;
        Changed();
    }

    /// <summary>To be called after values were written: brings the shadow up to date, by the device alone.</summary>
    public void Changed()
    {
        if (ShadowType is { } type)
        {
            Layout all = Layout.Of(checked((int)Elements));
            Backend.Copy(new View(_values!, 0, all, Type), new View(_shadow!, 0, all, type));
        }
    }

    /// <summary>What a router has sent where since <see cref="ClearCounts"/>, Int32 [E + 1]: slots of each expert, and slots that were dropped.</summary>
    public View Counts(Router router) => new(Buffer(_counts), router.Offset, Layout.Of(router.Experts + 1), DType.Int32);

    /// <summary>What all routers have sent where, as one vector.</summary>
    public View AllCounts => new(Buffer(_counts), 0, Layout.Of(_countElements), DType.Int32);

    /// <summary>Sets the counts of all routers to 0: a step begins.</summary>
    public void ClearCounts()
    {
        if (_counts is not null)
        {
            // 0 has the same bits as a real number, which every device can fill with.
            Backend.Fill(new View(_counts, 0, Layout.Of(_countElements), DType.Float32), 0);
        }
    }

    public View Gradients(Parameter parameter) => parameter.Frozen
        ? throw new InvalidOperationException($"parameter '{parameter.Name}' is frozen and has no gradient")
        : new(AllocateGradients(), parameter.Offset, parameter.Layout, Type);

    /// <summary>All gradients as one vector.</summary>
    public View AllGradients => new(AllocateGradients(), 0, Layout.Of(checked((int)TrainedElements)), Type);

    /// <summary>First and last element (exclusive) of the trained parameters of a role.</summary>
    public (long Start, long End) Range(ParameterRole role) => _ranges[(int)role];

    /// <summary>Values and gradients of a range of elements, as vectors.</summary>
    public (View Values, View Gradients) Slice(long start, long end)
    {
        Layout layout = Layout.Of(checked((int)(end - start)));
        return (new(Buffer(_values), start, layout, Type), new(AllocateGradients(), start, layout, Type));
    }

    /// <summary>Takes the memory of the gradients, which is not there before anyone asks for them.</summary>
    internal DeviceBuffer AllocateGradients()
    {
        Buffer(_values);
        return _gradients ??= Backend.Allocate(TrainedElements * Type.Size());
    }

    public void Dispose()
    {
        _values?.Dispose();
        _gradients?.Dispose();
        _shadow?.Dispose();
        _counts?.Dispose();
        _values = _gradients = _shadow = _counts = null;
        ShadowType = null;
    }

    private static void Place(Parameter parameter, ref long offset)
    {
        parameter.Offset = offset;
        offset += (parameter.Layout.Count + AlignmentElements - 1) / AlignmentElements * AlignmentElements;
    }

    private static DeviceBuffer Buffer(DeviceBuffer? buffer) =>
        buffer ?? throw new InvalidOperationException("parameter store: used before it was allocated");
}
