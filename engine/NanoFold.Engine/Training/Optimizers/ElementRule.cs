using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>
/// An optimizer that looks at each element alone, by a formula that is written once for the CPU and GPUs: in its file stand its settings, the formula and how
/// this is made of them.
/// </summary>
/// <typeparam name="TFormula">Internal or public, for a GPU compiles it.</typeparam>
public sealed class ElementRule<TFormula> : UpdateRule
    where TFormula : struct, IUpdateFormula
{
    private readonly Backend _backend;
    private readonly StepState _state;
    private readonly TFormula _formula;
    private readonly OptimizerSlot[] _slots;
    private readonly (StepSlot Slot, Func<long, double> Of)[] _factors;

    /// <param name="builder">Gives slots.</param>
    /// <param name="name">What profiles call it.</param>
    /// <param name="formula">Of an element.</param>
    /// <param name="slots">The names of its slots, as many as it has.</param>
    /// <param name="factors">Up to two factors that change from step to step, by the number of the step, from 1; the formula has them as A and B.</param>
    public ElementRule(OptimizerBuilder builder, string name, TFormula formula, IReadOnlyList<string> slots, params IReadOnlyList<Func<long, double>> factors)
        : base(name)
    {
        if (slots.Count != TFormula.Slots || factors.Count > 2)
        {
            throw new ArgumentException($"optimizer: {typeof(TFormula).Name} has {TFormula.Slots} slots and up to 2 factors; it is given {slots.Count} names and {factors.Count} factors");
        }

        (_backend, _state, _formula) = (builder.Backend, builder.State, formula);
        _slots = [.. slots.Select(slot => builder.Slot(slot))];
        _factors = [.. factors.Select((factor, i) => (_state.Add($"{name} factor {i + 1}"), factor))];
    }

    /// <inheritdoc/>
    public override void Begin(long step)
    {
        foreach ((StepSlot slot, Func<long, double> of) in _factors)
        {
            _state.Set(slot, of(step));
        }
    }

    /// <inheritdoc/>
    protected override void Update(in RoleRange piece) => _backend.Update(_formula, new UpdateArgs(_state, piece.Values, piece.Gradients, Slot(piece, 0), Slot(piece, 1), Slot(piece, 2))
    {
        Decay = piece.Decay,
        Rate = piece.Rate,
        FactorA = _factors.Length > 0 ? _factors[0].Slot : StepSlot.None,
        FactorB = _factors.Length > 1 ? _factors[1].Slot : StepSlot.None,
    });

    private View Slot(in RoleRange piece, int index) => index < _slots.Length ? piece.In(_slots[index]) : default;
}
