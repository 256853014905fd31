using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>What an <see cref="OptimizerConfig"/> makes its <see cref="UpdateRule"/> of: kernels, slots, scratch and learning rates of its own.</summary>
public sealed class OptimizerBuilder : IDisposable
{
    private readonly List<OptimizerSlot> _slots = [];
    private readonly List<OptimizerRate> _rates = [];
    private readonly List<DeviceBuffer> _scratch = [];

    internal OptimizerBuilder(ParameterStore store, StepState state, OperandRounding rounding = OperandRounding.None)
        => (Store, State, Rounding) = (store, state, rounding);

    /// <summary>The parameters; those that are trained lie in the range of their role.</summary>
    public ParameterStore Store { get; }

    public Backend Backend => Store.Backend;

    /// <summary>What kernels read of the step; its free slots may hold what changes from step to step.</summary>
    public StepState State { get; }

    /// <summary>How far products of matrices may round, as <see cref="MatMulArgs"/> are told.</summary>
    public OperandRounding Rounding { get; }

    /// <summary>Slots in the order in which they were asked for.</summary>
    public IReadOnlyList<OptimizerSlot> Slots => _slots;

    internal IReadOnlyList<OptimizerRate> Rates => _rates;

    internal long Bytes => _slots.Sum(slot => slot.Bytes) + _scratch.Sum(buffer => buffer.Bytes);

    /// <summary>Takes a slot.</summary>
    /// <param name="name">The tensor's name in a checkpoint.</param>
    /// <param name="roles">Whose parameters have it; all where none is named.</param>
    public OptimizerSlot Slot(string name, params IReadOnlyList<ParameterRole> roles)
    {
        if (_slots.Any(slot => slot.Name == name))
        {
            throw new ArgumentException($"optimizer: there is a slot '{name}' already");
        }

        var slot = new OptimizerSlot(Store, name, roles.Count > 0 ? roles : Enum.GetValues<ParameterRole>());
        _slots.Add(slot);
        return slot;
    }

    /// <summary>Takes memory for what no step leaves to the next.</summary>
    public DeviceBuffer Scratch(long elements)
    {
        DeviceBuffer buffer = Backend.Allocate(elements * Store.Type.Size());
        _scratch.Add(buffer);
        return buffer;
    }

    /// <summary>A learning rate of its own beside <c>train.learningRate</c>, on the same schedule; gives the slot of the step's state that kernels read.</summary>
    /// <param name="key">Its name in metrics.jsonl.</param>
    /// <param name="peak">Where the schedule's factor is 1.</param>
    public StepSlot Rate(string key, double peak)
    {
        StepSlot slot = State.Add(key);
        _rates.Add(new OptimizerRate(key, slot, peak));
        return slot;
    }

    public void Dispose()
    {
        _slots.ForEach(slot => slot.Dispose());
        _scratch.ForEach(buffer => buffer.Dispose());
    }
}

/// <summary>A learning rate that an optimizer has beside <c>train.learningRate</c>.</summary>
/// <param name="Key">Its name in metrics.jsonl.</param>
/// <param name="Slot">Where kernels read it.</param>
/// <param name="Peak">Where the schedule's factor is 1.</param>
internal readonly record struct OptimizerRate(string Key, StepSlot Slot, double Peak);
