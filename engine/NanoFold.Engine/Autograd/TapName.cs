using System.IO.Enumeration;

namespace NanoFold.Engine.Autograd;

/// <summary>Matches names of points against patterns with <c>*</c> and <c>?</c>.</summary>
public static class TapName
{
    public static bool Matches(string pattern, string name) => FileSystemName.MatchesSimpleExpression(pattern, name, ignoreCase: false);
}
