namespace NanoFold.Engine.Text;

/// <summary>A token that stands for no text, such as the begin of a document.</summary>
/// <param name="Id">Its token id.</param>
/// <param name="Name">What it is called in files and output, for example <c>&lt;|bos|&gt;</c>.</param>
public sealed record SpecialToken(int Id, string Name);
