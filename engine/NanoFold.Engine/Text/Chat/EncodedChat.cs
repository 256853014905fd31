namespace NanoFold.Engine.Text.Chat;

/// <summary>A conversation as tokens.</summary>
/// <param name="Ids">All of them.</param>
/// <param name="IsAssistant">Which are the assistant's, with what ends its turns.</param>
public sealed record EncodedChat(int[] Ids, bool[] IsAssistant);
