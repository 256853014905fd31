using NanoFold.Kernels.Lanes;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Kernels.Calls.Time;

/// <summary>
/// The formula of a recurrent cell, written once for every lane: unit by unit, from what the input and the state before bring to each gate to the new state.
/// </summary>
public interface IRecurrentCell
{
    static abstract string Name { get; }

    /// <summary>Gates: each has N columns of the input and N rows of the weight.</summary>
    static abstract int Gates { get; }

    /// <summary>Vectors of N that are carried on; the first is what the cell gives, and what the weight is multiplied with.</summary>
    static abstract int States { get; }

    /// <summary>Vectors of N that a place keeps for the backward pass.</summary>
    static abstract int Saved { get; }

    static abstract void Forward<V, TStep>(TStep step)
        where V : struct, ILane<V>
        where TStep : struct, ICellStep<V>;

    /// <summary>From the gradient of the new state to those of the gates and of the state before, what goes through the weight left out.</summary>
    static abstract void Backward<V, TStep>(TStep step)
        where V : struct, ILane<V>
        where TStep : struct, ICellGradient<V>;
}

/// <summary>What the formula of a place reads and writes.</summary>
public interface ICellStep<V>
    where V : struct, ILane<V>
{
    V Input(int gate);

    /// <summary>W h + bias.</summary>
    V Hidden(int gate);

    /// <summary>A vector of the state before.</summary>
    V State(int index);

    /// <summary>Writes a vector of the new state; the one before is gone then.</summary>
    void Set(int index, V value);

    void Save(int index, V value);
}

/// <summary>What the backward formula of a place reads and writes.</summary>
public interface ICellGradient<V>
    where V : struct, ILane<V>
{
    V Saved(int index);

    /// <summary>The first vector of the state before.</summary>
    V Before { get; }

    /// <summary>The first vector of the new state.</summary>
    V After { get; }

    /// <summary>Gradient of a vector of the new state; to be read before any is set.</summary>
    V Gradient(int state);

    /// <summary>Gradients of what the input and the state before brought to a gate.</summary>
    void SetGate(int gate, V input, V hidden);

    /// <summary>Gradient of a vector of the state before.</summary>
    void Set(int state, V value);
}

/// <summary>FLOPs of a cell's formula for one unit of one place, worked out once each.</summary>
internal static class CellFlops
{
    public static class Of<TCell>
        where TCell : struct, IRecurrentCell
    {
        public static readonly int Forward = CountingLane.Count(static () => TCell.Forward<CountingLane, Nothing>(default));

        public static readonly int Backward = CountingLane.Count(static () => TCell.Backward<CountingLane, Nothing>(default));
    }

    private readonly struct Nothing : ICellStep<CountingLane>, ICellGradient<CountingLane>
    {
        public CountingLane Before => default;

        public CountingLane After => default;

        public CountingLane Input(int gate) => default;

        public CountingLane Hidden(int gate) => default;

        public CountingLane State(int index) => default;

        public CountingLane Saved(int index) => default;

        public CountingLane Gradient(int state) => default;

        public void Set(int index, CountingLane value)
        {
        }

        public void Save(int index, CountingLane value)
        {
        }

        public void SetGate(int gate, CountingLane input, CountingLane hidden)
        {
        }
    }
}
