using NanoFold.Engine.Autograd;
using NanoFold.Engine.Training;
using NanoFold.Kernels.Profiling;

namespace NanoFold.Engine.Profiling;

/// <summary>What events are called, and which phase they belong to.</summary>
internal static class EventLabel
{
    public static StepPhase PhaseOf(StepRecording recording, in ProfileEvent noted) => noted.Kind == EventKind.Kernel
        ? PhaseOf(recording.Events[noted.Parent].Source)
        : PhaseOf(noted.Source);

    public static string Kernel(in ProfileEvent noted) => noted.Shape.IsProduct ? $"{noted.Source} {noted.Shape}" : (string)noted.Source;

    /// <summary>The name of an op or a part of the step.</summary>
    public static string Op(Tape tape, object source, OpGrouping grouping) => source switch
    {
        StepPart part => part.Name,
        PlanStep { Call: { } call } step => Of(tape, call.Node, grouping) + (step.IsRecomputed ? " (again)" : ""),
        _ => "fill gradient",
    };

    private static StepPhase PhaseOf(object source) => source switch
    {
        StepPart part => part.Phase,
        PlanStep step => step.IsBackward ? StepPhase.Backward : StepPhase.Forward,
        _ => StepPhase.Begin,
    };

    private static string Of(Tape tape, Node node, OpGrouping grouping) => grouping switch
    {
        OpGrouping.Op => node.Op.Name,
        OpGrouping.Module => node.Path.Length == 0 ? node.Op.Name : string.Join('.', node.Path.Split('.').Select(part => int.TryParse(part, out _) ? "*" : part)),
        _ => $"{node.Index} {(node.Path.Length == 0 ? "" : node.Path + ".")}{node.Op.Name}{ParameterOf(tape, node)}",
    };

    // The last but one part of its name, as in " q_proj": what tells a block's linear layers apart.
    private static string ParameterOf(Tape tape, Node node)
    {
        TapeValue? parameter = node.Inputs.Where(input => !input.IsNone).Select(input => tape.Values[input.Id]).FirstOrDefault(value => value.Kind == ValueKind.Parameter);
        return parameter is null ? "" : $" {parameter.Name.Split('.').Reverse().Skip(1).FirstOrDefault(parameter.Name)}";
    }
}
