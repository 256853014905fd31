namespace NanoFold.Engine.Corpora;

/// <summary>A file of a corpus that cannot be read.</summary>
/// <param name="Name">Its name, relative to the corpus' folder.</param>
/// <param name="Reason">Why, as the rest of a sentence: <c>is a zip archive</c>.</param>
internal sealed record Unread(string Name, string Reason);

/// <summary>A file cannot be read as text.</summary>
/// <param name="reason">Why, as the rest of a sentence.</param>
/// <param name="advice">What to do.</param>
internal sealed class UnreadTextException(string reason, string advice) : Exception(reason)
{
    public string Advice => advice;
}
