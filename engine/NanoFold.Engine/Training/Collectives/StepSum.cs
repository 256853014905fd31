using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Training;

/// <summary>
/// Adds up what the micro-batches of a step give: gradients, the loss and the terms beside it. Each micro-batch begins from zero and is added to the total of
/// those before it, in their order, in whichever process it was run; so any number of processes gives the same bits.
/// <para>
/// In round i of k, process r of W has run micro-batch i · W + r. Process 0 carries the total from round to round in a buffer of its own; after the last round
/// the total is where gradients are. With one micro-batch in all there is nothing to add, and no such buffer.
/// </para>
/// </summary>
internal sealed class StepSum : IDisposable
{
    private readonly ParameterStore _store;
    private readonly ICollective _collective;
    private readonly int _rounds;
    private readonly bool _clears;
    private readonly DeviceBuffer? _total;
    private readonly StepState _state;
    private readonly double[] _losses = new double[1 + StepState.MostTerms];

    /// <param name="store">Its gradients are added up.</param>
    /// <param name="state">Its loss and the terms beside it are.</param>
    /// <param name="collective">The processes.</param>
    /// <param name="rounds">Micro-batches of a step that each process runs.</param>
    /// <param name="clears">Whether the next micro-batch adds to the gradients and so needs zeros; not where it overwrites them.</param>
    public StepSum(ParameterStore store, StepState state, ICollective collective, int rounds, bool clears = true)
    {
        _clears = clears;
        _store = store;
        _state = state;
        _collective = collective;
        _rounds = rounds;
        _total = rounds > 1 && collective.Rank == 0 ? store.Backend.Allocate(store.TrainedElements * store.Type.Size()) : null;
    }

    /// <summary>Whether there is more than one micro-batch to add.</summary>
    public bool IsNeeded => _rounds > 1 || _collective.World > 1;

    public long Bytes => _total?.Bytes ?? 0;

    /// <summary>After a micro-batch: adds it, and makes room for the next one or leaves the totals of the step.</summary>
    public void Add(int round)
    {
        bool isLast = round == _rounds - 1;
        AddLosses(round, isLast);
        foreach (ElementRange piece in _store.Trained)
        {
            AddGradients(_store.Gradients(piece), round, isLast);
        }

        // Integers: they may add up in any order.
        if (isLast && _collective.World > 1 && _store.Routers.Count > 0)
        {
            _collective.Sum(_store.AllCounts);
        }
    }

    public void Dispose() => _total?.Dispose();

    private void AddLosses(int round, bool isLast)
    {
        // A process by itself adds one loss after the other where they are: a device need not wait to be read. Terms have a number for each layer, which are added first.
        if (_collective.World == 1 && _state.Terms.Count == 0)
        {
            return;
        }

        Span<double> losses = _losses.AsSpan(0, 1 + _state.Terms.Count);
        bool carries = round > 0 && _collective.Rank == 0;
        for (int i = 0; i < losses.Length; i++)
        {
            losses[i] = (carries ? losses[i] : 0) + _state.GetDouble(Slot(i));
        }

        _collective.Sum(losses);
        for (int i = 0; i < losses.Length; i++)
        {
            _state.Set(Slot(i), isLast ? losses[i] : 0);
        }
    }

    private void AddGradients(in View gradients, int round, bool isLast)
    {
        Backend backend = _store.Backend;
        View total = _total is null ? gradients : new View(_total, gradients.Offset, gradients.Layout, gradients.Type);
        if (isLast)
        {
            if (round > 0 && _total is not null)
            {
                backend.Copy(total, gradients, accumulate: true);
            }

            _collective.Sum(gradients);
            return;
        }

        if (_total is not null)
        {
            backend.Copy(gradients, total, accumulate: round > 0);
        }

        _collective.Sum(total);
        if (_clears)
        {
            backend.Fill(gradients, 0);
        }
    }

    private StepSlot Slot(int index) => index == 0 ? StepSlot.Loss : _state.Terms[index - 1].Slot;
}
