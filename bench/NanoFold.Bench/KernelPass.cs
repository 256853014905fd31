namespace NanoFold.Bench;

/// <summary>A pass of a case.</summary>
public sealed record KernelPass(string Case, bool IsBackward)
{
    public override string ToString() => $"{Case} {(IsBackward ? "backward" : "forward")}";
}
