namespace NanoFold.Engine.Tasks;

/// <summary>Two rows that differ in one token, of which one is as the task's rows are and the other is not.</summary>
/// <param name="Kind">What is wrong in the second, such as <c>agreement</c>.</param>
/// <param name="Right">Tokens.</param>
/// <param name="Wrong">As many.</param>
/// <param name="At">The place at which they differ.</param>
public sealed record MinimalPair(string Kind, IReadOnlyList<int> Right, IReadOnlyList<int> Wrong, int At);
