namespace NanoFold.Engine.Text.Chat;

/// <summary>A conversation as text.</summary>
/// <param name="Text">All of it.</param>
/// <param name="Spans">The parts that the assistant says, [start, end) in chars of the text, in their order.</param>
public sealed record RenderedChat(string Text, IReadOnlyList<(int Start, int End)> Spans);

/// <summary>A conversation as tokens.</summary>
/// <param name="Ids">All of them.</param>
/// <param name="IsAssistant">Which are the assistant's, with what ends its turns.</param>
public sealed record EncodedChat(int[] Ids, bool[] IsAssistant);
