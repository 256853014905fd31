namespace NanoFold.Engine.Profiling;

/// <summary>By what the calls of a step are added up.</summary>
public enum OpGrouping
{
    /// <summary>By op: all linear layers in one row.</summary>
    Op,

    /// <summary>By module, layers together: <c>blocks.*.attn</c>.</summary>
    Module,

    /// <summary>Every node of the tape by itself.</summary>
    Node,
}
