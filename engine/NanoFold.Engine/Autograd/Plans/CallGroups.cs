using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Autograd;

/// <summary>
/// Neighbors in a schedule that may be done at the same time, for none of them reads or writes what another one writes: products of the forward pass, and where the backend
/// runs others together too, calls of ops that are one piece of work (<see cref="Op.IsBranch"/>), such as the turns of queries and of keys.
/// </summary>
internal sealed class CallGroups
{
    private readonly Tape _tape;
    private readonly PlanSchedule _schedule;
    private readonly GradientFlow _gradients;
    private readonly (int First, int Last)[] _groups;

    /// <param name="tape">What is scheduled.</param>
    /// <param name="schedule">All its calls.</param>
    /// <param name="gradients">Which of them are one memory.</param>
    public CallGroups(Tape tape, PlanSchedule schedule, GradientFlow gradients)
    {
        (_tape, _schedule, _gradients) = (tape, schedule, gradients);
        _groups = new (int, int)[schedule.Calls.Count];
        for (int first = 0, next; first < _groups.Length; first = next)
        {
            for (next = first + 1; next < _groups.Length && AreAlike(schedule.Calls[first], schedule.Calls[next]) && IsFree(next, first);)
            {
                next++;
            }

            Array.Fill(_groups, (first, next - 1), first, next - first);
        }
    }

    /// <summary>The calls, this one among them, that may be done at the same time.</summary>
    public (int First, int Last) Of(int call) => _groups[call];

    /// <summary>Whether a call is one product of the forward pass.</summary>
    public bool IsProduct(in ScheduledCall call) => call.Kind == PlanStepKind.Forward && _tape.Nodes[call.Node].Op.IsProduct;

    private bool AreAlike(in ScheduledCall a, in ScheduledCall b) => (IsProduct(a) && IsProduct(b)) || (IsBranch(a) && IsBranch(b) && a.Kind == b.Kind);

    private bool IsBranch(in ScheduledCall call) => _tape.Backend.RunsTogether && call.Kind != PlanStepKind.Fill && _tape.Nodes[call.Node].Op.IsBranch;

    // Whether a call has nothing to do with what those from one on, and before it, read and write.
    private bool IsFree(int call, int first)
    {
        Place[] own = [.. Places(_schedule.Calls[call])];
        return !Enumerable.Range(first, call - first).SelectMany(before => Places(_schedule.Calls[before])).Any(other => own.Any(place => place.IsInTheWayOf(other)));
    }

    private IEnumerable<Place> Places(ScheduledCall call)
    {
        Node node = _tape.Nodes[call.Node];
        bool backward = call.Kind == PlanStepKind.Backward;
        for (int i = 0; i < node.Inputs.Count; i++)
        {
            Tensor input = node.Inputs[i];
            if (!input.IsNone && (!backward || _schedule.BackwardReads(node, i)))
            {
                yield return Value(call, input.Id, isWritten: false);
            }

            if (backward && _gradients.Wants(node, i))
            {
                yield return new Place('g', _gradients.MemoryOf(input.Id), _gradients.PartOf(input), true);
            }
        }

        for (int i = 0; i < node.Outputs.Count; i++)
        {
            int id = node.Outputs[i].Id;
            if (!backward || node.Op.BackwardReadsOutput(i))
            {
                yield return Value(call, id, isWritten: !backward);
            }

            if (backward && _gradients.Has(id))
            {
                yield return new Place('g', _gradients.MemoryOf(id), GradientFlow.Whole, false);
            }
        }
    }

    private Place Value(in ScheduledCall call, int id, bool isWritten) => new(_schedule.ReadsRecomputed(call, id) ? 'r' : 'v', id, GradientFlow.Whole, isWritten);

    /// <summary>A value, a recomputed value or a gradient, or a part of it, that a call reads or writes.</summary>
    private readonly record struct Place(char Kind, int Id, long Part, bool IsWritten)
    {
        public bool IsInTheWayOf(in Place other) => (IsWritten || other.IsWritten) && Kind == other.Kind && Id == other.Id
            && (Part == other.Part || Part == GradientFlow.Whole || other.Part == GradientFlow.Whole);
    }
}
