namespace NanoFold.Engine.Autograd;

/// <summary>Follows a schedule through its arena without running it.</summary>
/// <param name="tape">What is scheduled.</param>
/// <param name="calls">Its order.</param>
/// <param name="arena">Placed.</param>
/// <param name="holders">What each block is for; −1 stands for no block.</param>
internal sealed class PlanProfiler(Tape tape, IReadOnlyList<ScheduledCall> calls, ArenaLayout arena, IReadOnlyList<(int Block, string Name)> holders)
{
    public PlanProfile Profile()
    {
        long[] live = arena.LiveBytes(calls.Count);
        // Every node is called once in the forward pass; the backward pass follows.
        int forward = Peak(live, 0, tape.Nodes.Count);
        int? backward = calls.Count > tape.Nodes.Count ? Peak(live, tape.Nodes.Count, calls.Count) : null;
        int peak = backward is { } later && live[later] > live[forward] ? later : forward;
        return new PlanProfile(
            new PlanPeak(live[forward], Describe(forward)),
            backward is { } call ? new PlanPeak(live[call], Describe(call)) : null,
            backward is null ? 0 : live[tape.Nodes.Count],
            Holdings(peak));
    }

    private static int Peak(long[] live, int first, int end)
    {
        int peak = first;
        for (int t = first + 1; t < end; t++)
        {
            peak = live[t] > live[peak] ? t : peak;
        }

        return peak;
    }

    private PlanHolding[] Holdings(int step) =>
    [
        .. holders
            .Where(h => h.Block >= 0 && arena.IsLive(h.Block, step))
            .GroupBy(h => h.Name, (name, group) => new PlanHolding(name, group.Count(), group.Sum(h => arena.Bytes(h.Block))))
            .OrderByDescending(h => h.Bytes),
    ];

    private string Describe(int step)
    {
        ScheduledCall call = calls[step];
        if (call.Kind == PlanStepKind.Fill)
        {
            return $"gradient of {tape.Values[call.Target].Name} set to {call.Value}";
        }

        Node node = tape.Nodes[call.Node];
        string pass = call.Kind == PlanStepKind.Backward ? " backward" : call.IsRecomputed ? " recomputed" : "";
        return $"{(node.Path.Length == 0 ? "" : $"{node.Path}: ")}{node.Op.Name}{pass}";
    }
}
