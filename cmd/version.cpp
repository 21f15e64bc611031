namespace ysdb { void placeholder() {} }
